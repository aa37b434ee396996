package orphans

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestZombieOf(t *testing.T) {
	const tail = " 1 1 0 -1 4227084 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0"
	for _, tt := range []struct {
		name, stat, start string
		ok                bool
	}{
		{"zombie of ours", "12 (sh) Z 1" + tail, "4711", true},
		{"a name with a parenthesis and blanks", "12 (a) Z 9 (x) Z 1" + tail, "4711", true},
		{"alive", "12 (sh) S 1" + tail, "", false},
		{"somebody else's", "12 (sh) Z 77" + tail, "", false},
		{"cut off", "12 (sh) Z 1", "", false},
		{"empty", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start, ok := zombieOf([]byte(tt.stat), 1)
			if start != tt.start || ok != tt.ok {
				t.Errorf("zombieOf(%q) = %q, %v, want %q, %v", tt.stat, start, ok, tt.start, tt.ok)
			}
		})
	}
}

// A subreaper inherits orphans as process 1 does.
func TestOrphansAreCollectedAndOwnersKeepTheirs(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skipf("cannot be a subreaper here: %v", err)
	}
	go Collect(t.Context())

	// A shell starts ten children that outlive it, says which, and ends.
	out, err := exec.Command("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & echo $!; done").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Meanwhile owners wait for theirs.
	owners := make(chan error)
	go func() {
		for range 40 {
			if err := exec.Command("sh", "-c", "exit 0").Run(); err != nil {
				owners <- err
				return
			}
		}
		owners <- nil
	}()
	if err := <-owners; err != nil {
		t.Errorf("an owner lost its child: %v", err)
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, pid := range strings.Fields(string(out)) {
		for exists(t, pid) {
			select {
			case <-deadline:
				t.Fatalf("orphan %s is still there", pid)
			case <-tick.C:
			}
		}
	}
}

func exists(t *testing.T, pid string) bool {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat("/proc/" + strconv.Itoa(n))
	return err == nil
}
