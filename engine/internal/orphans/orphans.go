// Package orphans collects the dead children that process 1 inherits.
//
// Every process whose parent dies becomes a child of process 1, and stays a
// zombie until that waits for it. System Docker is process 1, but it also has
// children of its own (runc, shims, modprobe), and whoever started those waits
// for them: taking one away makes exec.Cmd.Wait fail. So a dead child is only
// collected when nobody has wanted it for a while.
package orphans

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Patience is how long a dead child is left to its owner. An owner that waits
// takes it within a millisecond.
const Patience = time.Second

// Collect takes dead children that nobody waits for until ctx ends. It costs
// nothing while there are none: a scan of /proc happens at most once per
// Patience, and only as long as a dead child is there.
func Collect(ctx context.Context) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, unix.SIGCHLD)
	defer signal.Stop(died)
	timer := time.NewTimer(Patience) // children may have died before us
	defer timer.Stop()
	waiting := true
	seen := map[child]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-died:
			if !waiting && anyDead() {
				timer.Reset(Patience)
				waiting = true
			}
		case <-timer.C:
			seen = pass(seen, dead(os.Getpid()))
			if waiting = len(seen) > 0 || anyDead(); waiting {
				timer.Reset(Patience)
			}
		}
	}
}

// A child is named by its start time too, so that a process that got the number
// of an earlier one is not taken for it.
type child struct {
	pid   int
	start string
}

// pass collects what was dead at the last pass already, and returns the rest.
func pass(seen map[child]bool, dead []child) map[child]bool {
	left := map[child]bool{}
	for _, c := range dead {
		if !seen[c] {
			left[c] = true
			continue
		}
		for {
			_, err := unix.Wait4(c.pid, nil, unix.WNOHANG, nil)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	return left
}

// anyDead says whether some child is dead, and leaves it so.
func anyDead() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

// dead lists the zombies whose parent is pid. waitid can only show the first
// of them, and that one may have an owner who is slow.
func dead(parent int) []child {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var found []child
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if start, ok := zombieOf(stat, parent); ok {
			found = append(found, child{pid, start})
		}
	}
	return found
}

// zombieOf reads a line of /proc/PID/stat: is it a zombie of parent, and when
// was it started? The name in parentheses may hold anything, also ")".
func zombieOf(stat []byte, parent int) (start string, ok bool) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return "", false
	}
	const state, ppid, started = 0, 1, 19 // counted from after the name
	fields := bytes.Fields(stat[end+1:])
	if len(fields) <= started || string(fields[state]) != "Z" || string(fields[ppid]) != strconv.Itoa(parent) {
		return "", false
	}
	return string(fields[started]), true
}
