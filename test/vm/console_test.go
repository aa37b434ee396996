package vm

import (
	"io"
	"strings"
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

// The program of this test listens late, so that its first answer is echoed and
// lost, and asks again after a wrong one.
func TestAnAnswerGoesToItsOwnPrompt(t *testing.T) {
	v, keys := newConsole(t)
	v.patience = 10 * time.Millisecond
	var got []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 100)
		read := func() string { n, _ := keys.Read(b); return string(b[:n]) }
		v.hear("name: ")
		v.hear("[    1.000000] kernel: says something\n" + read()) // the echo
		got = append(got, read())
		v.hear("\nunknown name\nname: ")
		got = append(got, read())
		v.hear("\nwelcome\n")
	}()
	v.Answer("name: ", "wrong", "unknown", 10*time.Second)
	v.Answer("name: ", "right", "welcome", 10*time.Second)
	<-done
	if strings.Join(got, "") != "wrong\nright\n" {
		t.Errorf("typed %q", got)
	}
	if v.waits(20*time.Millisecond, func() bool { return v.asks("name: ") }) {
		t.Error("a prompt that was answered is seen again")
	}
}
