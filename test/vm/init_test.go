package vm

import (
	"testing"
	"time"
)

func TestInitStaysProcessOneAndKeepsContainersWhenSystemDockerDies(t *testing.T) {
	v := Boot(t, Machine{Append: "rancher.system_docker.exec=false"})
	v.Says("ps -p 1 -o args=", "init")
	before := v.Run("sudo system-docker inspect -f '{{.State.Pid}}' console")
	v.Run("sudo kill -9 $(cat /var/run/system-docker.pid)")
	v.Eventually("sudo system-docker ps --format '{{.Names}}'", "console", 2*time.Minute)
	v.Says("sudo system-docker inspect -f '{{.State.Pid}}' console", before)
}

func TestRecoveryConsoleShowsTheRecord(t *testing.T) {
	v := Start(t, Machine{Append: "rancher.recovery"})
	v.WaitLine("You are root in the recovery console", bootTime)
	v.WaitLine("mount kernel filesystems", time.Minute)
}

func TestRequiredStateThatIsAbsentEndsInTheRecoveryConsole(t *testing.T) {
	v := Start(t, Machine{Append: "rancher.state.required rancher.state.dev=LABEL=NOWHERE"})
	v.WaitLine("You are root in the recovery console", bootTime)
	v.WaitLine("LABEL=NOWHERE", time.Minute)
}

// Process 1 is System Docker by then: what it becomes when it ends must not be a
// panic of the kernel.
func TestSystemDockerThatCannotStartEndsInTheRecoveryConsole(t *testing.T) {
	v := Start(t, Machine{Append: "rancher.system_docker.extra_args=--storage-driver=nonsense"})
	v.WaitLine("You are root in the recovery console", bootTime)
	v.WaitLine("System Docker has ended", time.Minute)
	v.WaitLine("nonsense", time.Minute)
}
