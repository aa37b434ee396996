// Package reap collects the orphans that the kernel gives to process 1,
// without stealing the children that somebody in this process waits for.
package reap

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Reaper knows which children are its own.
type Reaper struct {
	mu   sync.Mutex
	mine map[int]bool
	// collected counts orphans, for tests.
	collected int
}

// New returns a Reaper that owns no process yet.
func New() *Reaper { return &Reaper{mine: map[int]bool{}} }

// Start starts cmd; only Wait collects it.
func (r *Reaper) Start(cmd *exec.Cmd) error {
	// Held over the fork: a child that dies at once must be known as ours
	// before Collect can see it.
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return err
	}
	r.mine[cmd.Process.Pid] = true
	return nil
}

// Wait waits for a cmd that Start started.
func (r *Reaper) Wait(cmd *exec.Cmd) error {
	err := cmd.Wait()
	r.mu.Lock()
	delete(r.mine, cmd.Process.Pid)
	r.mu.Unlock()
	return err
}

// Run is Start and Wait.
func (r *Reaper) Run(cmd *exec.Cmd) error {
	if err := r.Start(cmd); err != nil {
		return err
	}
	return r.Wait(cmd)
}

// Loop collects orphans at each SIGCHLD until ctx ends.
func (r *Reaper) Loop(ctx context.Context) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCHLD)
	defer signal.Stop(c)
	for {
		again := r.Collect()
		var retry <-chan time.Time
		if again {
			// The first dead child is ours and its owner is about to collect it;
			// orphans may stand behind it.
			retry = time.After(time.Millisecond)
		}
		select {
		case <-c:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// siginfo is the head of siginfo_t for SIGCHLD on 64-bit Linux; see waitid(2).
type siginfo struct {
	signo, errno, code, _ int32
	pid                   int32
	_                     [108]byte
}

// Collect takes every dead child that is not ours. It returns true when a dead
// child of ours was in the way.
func (r *Reaper) Collect() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var si siginfo
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&si)), unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || si.pid == 0 {
			return false
		}
		if r.mine[int(si.pid)] {
			return true
		}
		if _, err := unix.Wait4(int(si.pid), nil, 0, nil); err == nil {
			r.collected++
		}
	}
}
