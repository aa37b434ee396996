package vm

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestPowerCuts cuts the power of one machine at random moments of its first
// boot, and then wants it to come up as if nothing had been.
func TestPowerCuts(t *testing.T) {
	m := Machine{Disk: NewDisk(t, 4), UserData: Lines("#cloud-config", "hostname: survivor")}
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range 10 {
		v := Start(t, m)
		v.WaitMark("userspace", bootTime)
		after := time.Duration(r.IntN(20_000)) * time.Millisecond
		cut := time.NewTimer(after)
		<-cut.C
		v.Kill()
	}
	v := Boot(t, m)
	v.WaitMark("user_docker", bootTime)
	v.Says("hostname", "survivor")
	v.Says("sudo ros dev LABEL=RANCHER_STATE", "/dev/vda")
	v.Run("sudo ros config validate")

	// `ros config set` again and again, and a power cut in the middle of it: the
	// value is one that was set, and the file is whole.
	go func() {
		_, _ = v.Try("i=0; while true; do i=$((i+1)); sudo ros config set rancher.environment.N $i; done")
	}()
	cut := time.NewTimer(5*time.Second + time.Duration(r.IntN(5000))*time.Millisecond)
	<-cut.C
	v.Kill()
	v = Boot(t, m)
	v.Run("sudo ros config validate")
	v.Says("sudo ros config get rancher.environment.N | grep -c '^[0-9]*$'", "1")
}
