package serial

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal makes a pair: what goes into one comes out of the other.
func terminal(t *testing.T) (master *os.File, name string) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals:", err)
	}
	t.Cleanup(func() { m.Close() })
	if err := unix.IoctlSetPointerInt(int(m.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo terminals:", err)
	}
	n, err := unix.IoctlGetInt(int(m.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip("no pseudo terminals:", err)
	}
	return m, fmt.Sprintf("/dev/pts/%d", n)
}

func TestPortIsRawAndOursAlone(t *testing.T) {
	m, name := terminal(t)
	p, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := Open(name); err == nil {
		t.Error("a port that is in use can be opened")
	}
	if _, err := m.Write([]byte("a\rb\x03\n")); err != nil {
		t.Fatal(err)
	}
	if err := p.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	n, err := p.Read(b)
	if err != nil || string(b[:n]) != "a\rb\x03\n" {
		t.Errorf("Read() = %q, %v, want it as it was sent", b[:n], err)
	}
}

func TestReadEndsAtItsDeadline(t *testing.T) {
	_, name := terminal(t)
	p, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read() = %v, want the deadline", err)
	}
}
