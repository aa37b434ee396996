package vm

import (
	"io"
	"testing"
	"time"
)

// newConsole is a console without a machine; what is typed comes to the reader.
func newConsole(t *testing.T) (*VM, io.Reader) {
	keys, keyboard := io.Pipe()
	return &VM{t: t, keyboard: keyboard, marks: map[string]Mark{}, more: make(chan struct{})}, keys
}

func TestAPromptIsSeenThroughWhatTheKernelSays(t *testing.T) {
	v, _ := newConsole(t)
	v.hear("one\nEnter passph[    5.250993] md: two is degraded\nrase for /dev/md0: ")
	v.WaitPrompt("Enter passphrase for /dev/md", 10*time.Second)
}

// The program of this test misses its first answer, as one that empties its
// keyboard after it has asked, and asks again after the second.
func TestAnAnswerGoesToItsOwnPrompt(t *testing.T) {
	v, keys := newConsole(t)
	v.patience = time.Millisecond
	got := make(chan string, 10)
	go func() {
		b := make([]byte, 100)
		read := func() string { n, _ := keys.Read(b); return string(b[:n]) }
		v.hear("name: ")
		read() // thrown away
		got <- read()
		v.hear("\nunknown name\n")
		for { // what was typed again meanwhile
			s := read()
			if s != "wrong\n" {
				got <- s
				break
			}
		}
		v.hear("\n")
	}()
	v.Answer("name: ", "wrong", 10*time.Second)
	v.WaitLine("unknown name", 10*time.Second)
	if v.waits(20*time.Millisecond, func() bool { return v.asks("name: ") }) {
		t.Error("a prompt that was answered is seen again")
	}
	v.hear("name: ")
	v.Answer("name: ", "right", 10*time.Second)
	if a, b := <-got, <-got; a != "wrong\n" || b != "right\n" {
		t.Errorf("typed %q and %q", a, b)
	}
}
