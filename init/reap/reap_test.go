package reap

import (
	"context"
	"os/exec"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestOrphansAreCollectedAndNoStatusIsLost(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	r := New()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go r.Loop(ctx)

	const workers, each = 4, 25
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				// The shell leaves an orphan and says 7.
				err := r.Run(exec.Command("sh", "-c", "(exit 3) & exit 7"))
				e, ok := err.(*exec.ExitError)
				if !ok || e.ExitCode() != 7 {
					t.Errorf("err = %v, want exit status 7", err)
				}
			}
		})
	}
	wg.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; {
		r.Collect()
		r.mu.Lock()
		n := r.collected
		r.mu.Unlock()
		if n == workers*each {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d orphans collected, want %d", n, workers*each)
		}
		<-time.After(5 * time.Millisecond)
	}
}
