package vm

import (
	"strings"
	"testing"
	"time"
)

// bootTime is how long a machine may take until ssh answers, in emulation
// beside other work.
const bootTime = 6 * time.Minute

// TestFirstTenMinutes is what a person does with a new machine that has a disk.
func TestFirstTenMinutes(t *testing.T) {
	disk := NewDisk(t, 4)
	m := Machine{Disk: disk, UserData: Lines("#cloud-config", "hostname: alpha",
		"write_files:", "  - path: /etc/marker", "    permissions: '0640'", "    content: hello",
		"runcmd:", "  - echo once >> /home/rancher/runcmd",
		"mounts:", "  - [/dev/nowhere, /mnt/nowhere, ext4, nofail]")}
	v := Boot(t, m)
	v.WaitMark("user_docker", bootTime)

	v.Says("hostname", "alpha")
	v.Says("sudo stat -c %a /etc/marker", "640")
	v.Says("ps -p 1 -o args=", "dockerd")
	v.Says("sudo ros os version", "v")
	v.Says("sudo ros config get hostname", "alpha")
	v.Says("sudo ros config explain hostname", "boot.yml:2")
	v.Run("sudo ros config validate")
	v.Says("sudo ros service list --all", "amazon-ecs-agent")
	v.Says("sudo ros dev LABEL=RANCHER_STATE", "/dev/vda")
	v.Says("sudo ros env printenv VERSION", "v")
	v.Says("sudo ros datasource list", "ec2")
	// A mount that is not there is a recoverable error: upstream says 2 then.
	v.Says("cloud-init status --wait; echo code $?", "code 2")
	v.Says("sudo grep -c '^rancher:[*!]' /etc/shadow", "1")
	v.Says("sudo sshd -T | grep -i passwordauthentication", "no")
	if out := v.Eventually("sudo system-docker ps --format '{{.Names}}' | sort | xargs", "udev", bootTime); out != "" {
		v.Eventually("sudo system-docker ps --format '{{.Names}}' | sort | xargs", "acpid console docker network ntp syslog system-cron udev", bootTime)
	}

	v.Send(BusyboxTar(t), "docker import - bb")
	v.Says("docker run --rm bb /bin/echo hello", "hello")
	v.Run("docker run -d --name web -p 8080:80 bb /bin/httpd -f -p 80 -h /bin")
	size := v.Run("docker run --rm bb /bin/cat /bin/busybox | wc -c")
	v.Says("wget -qO- http://127.0.0.1:8080/busybox | wc -c", size)
	v.Run("printf 'FROM scratch\\nADD Dockerfile /x\\n' > Dockerfile && docker build -q -t built .")
	v.Run("docker save built | docker load")
	v.Says("docker run --rm -v /home/rancher:/foo bb /bin/ls /foo", "Dockerfile")
	v.Run("docker swarm init --advertise-addr 127.0.0.1")
	v.Run("docker service create -q -d --name s1 --replicas 2 -p 9090:80 bb /bin/httpd -f -p 80 -h /bin")
	v.Eventually("docker service ls --format '{{.Replicas}}'", "2/2", 2*time.Minute)
	v.Eventually("wget -qO- http://127.0.0.1:9090/busybox | wc -c", size, time.Minute)

	// Nothing that a user does to containers hurts the machine.
	v.Run("docker service rm s1 && docker swarm leave --force && docker rm -f $(docker ps -qa) || true")
	v.Run("sudo system-docker restart -t 2 ntp")
	pid := "$(sudo system-docker inspect -f '{{.State.Pid}}' "
	for _, kill := range []struct{ name, victim string }{
		{"network", pid + "network)"},
		{"docker", pid + "docker)"},
		// Its shim, which others share: they come back with it.
		{"syslog", "$(ps -o ppid= -p " + pid + "syslog))"},
		// Both at once: Docker may fail to start it again, and gives it up then.
		{"udev", pid + "udev) $(ps -o ppid= -p " + pid + "udev))"},
	} {
		before := v.Run("sudo system-docker inspect -f '{{.State.StartedAt}}' " + kill.name)
		v.Run("sudo kill -9 " + kill.victim)
		v.Eventually("sudo system-docker inspect -f '{{.State.Running}} {{.State.StartedAt}}' "+kill.name+" | grep -v '"+before+"'", "true", 2*time.Minute)
	}
	v.Eventually("sudo system-docker ps --format '{{.Names}}' | sort | xargs", "acpid console docker network ntp syslog system-cron udev", 2*time.Minute)
	v.Eventually("docker ps -q && echo back", "back", 2*time.Minute)

	v.Run("docker run -d --restart always --name keeper bb /bin/sleep 100000")
	v.Run("docker save bb -o /tmp/bb.tar && sudo cp /tmp/bb.tar /var/lib/rancher/preload/system-docker/")
	v.Run("sudo ros config set rancher.environment.FOO bar")
	key := v.Run("cat /etc/ssh/ssh_host_ed25519_key.pub")
	v.Run("echo kept | sudo tee /opt/kept /var/kept /home/rancher/kept >/dev/null")
	if _, err := v.Try("sudo reboot"); err != nil {
		t.Logf("reboot: %v", err) // the connection may end first
	}
	v.WaitOff(3 * time.Minute)

	v = Boot(t, m)
	v.WaitMark("user_docker", bootTime)
	v.Says("cat /opt/kept /var/kept /home/rancher/kept | xargs", "kept kept kept")
	v.Says("sudo ros config get rancher.environment.FOO", "bar")
	v.Says("cat /etc/ssh/ssh_host_ed25519_key.pub", key)
	v.Eventually("docker ps --format '{{.Names}}'", "keeper", 2*time.Minute)
	v.Says("cat /home/rancher/runcmd | wc -l", "1")
	v.Says("sudo ros cloud-init status --output json || true", "done")
	v.Says("sudo system-docker images", "bb")
	v.Says("sudo ros os boot", "cloud-init-save")
	if _, err := v.Try("sudo poweroff"); err != nil {
		t.Logf("poweroff: %v", err)
	}
	v.WaitOff(3 * time.Minute)
}

func TestRunsFromRAMInLittleMemory(t *testing.T) {
	v := Boot(t, Machine{Mem: 384})
	v.WaitMark("user_docker", bootTime)
	v.Send(BusyboxTar(t), "docker import - bb")
	v.Says("docker run --rm bb /bin/echo hello", "hello")
}

func TestBrokenUserDataLeavesAReachableMachine(t *testing.T) {
	v := Boot(t, Machine{UserData: "#cloud-config\nhostname: [\nhostnmae: x\n"})
	v.Says("hostname", "given")
	out, err := v.Try("sudo ros config validate")
	if err == nil {
		t.Errorf("validate finds nothing: %s", out)
	}
	if !strings.Contains(out, ":2:11: the list that begins here is not closed") {
		t.Errorf("validate does not name the place:\n%s", out)
	}
	v.Says("sudo dmesg", "2:11: the list that begins here is not closed")
}

func TestUnknownKeyIsNamedWithItsLine(t *testing.T) {
	v := Boot(t, Machine{UserData: "#cloud-config\nhostnmae: x\n"})
	out, err := v.Try("sudo ros config validate")
	if err == nil || !strings.Contains(out, "2:1") || !strings.Contains(out, "hostname") {
		t.Errorf("validate: %v\n%s", err, out)
	}
	v.Says("sudo dmesg", "hostnmae")
}

func TestHugeUserDataIsRefusedAndTheKeysStillWork(t *testing.T) {
	v := Boot(t, Machine{UserData: "#cloud-config\nhostname: huge\n# " + strings.Repeat("x", 100<<20) + "\n"})
	v.Says("hostname", "given")
	v.Says("sudo dmesg", "too large")
}
