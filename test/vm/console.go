package vm

import (
	"cmp"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// read collects the console until the machine is off.
func (v *VM) read(r io.Reader) {
	b := make([]byte, 4096)
	live, _ := os.OpenFile(os.Getenv("ROS_CONSOLE"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	for {
		n, err := r.Read(b)
		if live != nil {
			_, _ = live.Write(b[:n])
		}
		v.hear(string(b[:n]))
		if err != nil {
			v.end()
			return
		}
	}
}

// hear takes what came of the console: whole lines, and a rest.
func (v *VM) hear(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	lines := strings.Split(v.open+text, "\n")
	v.open = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		v.add(strings.TrimRight(line, "\r"))
	}
	v.changed()
}

// end is the end of the console: the machine is off.
func (v *VM) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.add(v.open)
	v.open, v.off = "", true
	v.changed()
}

// add takes a line. The lock is held.
func (v *VM) add(line string) {
	v.lines = append(v.lines, line)
	if _, name, ok := strings.Cut(line, "ros: mark "); ok {
		if _, seen := v.marks[name]; !seen {
			v.marks[name] = Mark{time.Since(v.started), v.cpu()}
		}
	}
}

// changed wakes those who wait for the console. The lock is held.
func (v *VM) changed() {
	close(v.more)
	v.more = make(chan struct{})
}

func (v *VM) tail(n int) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lines[max(0, len(v.lines)-n):]
}

// wait calls ok, with the lock held, at each change of the console until it
// says true.
func (v *VM) wait(what string, timeout time.Duration, ok func() bool) {
	v.t.Helper()
	if v.waits(timeout, ok) {
		return
	}
	if v.mu.Lock(); v.off {
		v.mu.Unlock()
		v.t.Fatalf("the machine went off while waiting for %s", what)
	}
	v.mu.Unlock()
	v.t.Fatalf("%s did not come in %s", what, timeout)
}

// waits is wait that says whether it came.
func (v *VM) waits(timeout time.Duration, ok func() bool) bool {
	deadline := time.After(timeout)
	for {
		v.mu.Lock()
		done, off, more := ok(), v.off, v.more
		v.mu.Unlock()
		if done || off {
			return done
		}
		select {
		case <-more:
		case <-deadline:
			return false
		}
	}
}

// WaitMark waits for a line "mark NAME" of the boot and returns when it was.
func (v *VM) WaitMark(name string, timeout time.Duration) Mark {
	v.t.Helper()
	v.wait("mark "+name, timeout, func() bool { _, ok := v.marks[name]; return ok })
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.marks[name]
}

// WaitLine waits for a console line that contains text.
func (v *VM) WaitLine(text string, timeout time.Duration) string {
	v.t.Helper()
	found, from := "", 0
	v.wait("the console line "+strconv.Quote(text), timeout, func() bool {
		for ; from < len(v.lines); from++ {
			if strings.Contains(v.lines[from], text) {
				found = v.lines[from]
				return true
			}
		}
		return false
	})
	return found
}

// kernelLine is what the kernel says, which can cut a prompt in two.
var kernelLine = regexp.MustCompile(`\[ *\d+\.\d+\] [^\n]*\n`)

// WaitPrompt waits until the console asks text, after the last answer.
func (v *VM) WaitPrompt(text string, timeout time.Duration) {
	v.t.Helper()
	v.wait("the prompt "+strconv.Quote(text), timeout, func() bool { return v.asks(text) })
}

// asks says whether the console asks text. The lock is held.
func (v *VM) asks(text string) bool {
	said := strings.Join(append(slices.Clone(v.lines[v.answered:]), v.open), "\n")
	return strings.Contains(kernelLine.ReplaceAllString(said, ""), text)
}

// Answer waits for the prompt and types the answer, until a line says took. Who
// asks without echo throws away what was typed before it listens (TCSAFLUSH),
// and a prompt is seen before that: an answer that is echoed came too early, and
// is typed again unless it was taken nevertheless.
func (v *VM) Answer(prompt, answer, took string, timeout time.Duration) {
	v.t.Helper()
	v.WaitPrompt(prompt, timeout)
	for {
		v.mu.Lock()
		from := len(v.lines)
		v.mu.Unlock()
		// says is the line after the first one that contains text, or 0.
		says := func(text string) int {
			return 1 + slices.IndexFunc(v.lines[from:], func(l string) bool { return strings.Contains(l, text) })
		}
		if _, err := io.WriteString(v.keyboard, answer+"\n"); err != nil {
			v.t.Fatalf("type on the console: %v", err)
		}
		v.wait(strconv.Quote(took)+" after the answer to "+strconv.Quote(prompt), timeout, func() bool { return says(took)+says(answer) > 0 })
		if v.waits(cmp.Or(v.patience, 10*time.Second), func() bool { return says(took) > 0 }) {
			v.mu.Lock()
			v.answered = from + says(took)
			v.mu.Unlock()
			return
		}
	}
}

// WaitOff waits until the machine has powered itself off.
func (v *VM) WaitOff(timeout time.Duration) {
	v.t.Helper()
	if !v.waits(timeout, func() bool { return v.off }) {
		v.t.Fatalf("the machine is not off after %s", timeout)
	}
}
