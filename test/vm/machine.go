// Package vm boots real machines in QEMU for tests: describe one, boot it, talk
// to it.
package vm

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"rancheros/image/qemu"
)

// A Machine describes a machine. The zero value is one with 1 GiB, no disk and
// a NoCloud drive that brings the test's ssh key.
type Machine struct {
	// Datasource is where the machine believes to be; see qemu.Clouds. Empty is
	// nocloud.
	Datasource string
	// ID names the instance.
	ID string
	// UserData is handed over by the datasource. "-" leaves the datasource out.
	UserData string
	// NetworkConfig is handed over by nocloud.
	NetworkConfig string
	// Metadata replaces the datasource's own metadata service: a command that
	// talks on its standard input and output.
	Metadata string
	// Recorded is a machine of datasources/NAME/testdata in the place of
	// Datasource, and In the network that it is in.
	Recorded *Recorded
	In       *Network
	// Drives are more read-only drives: an image file each.
	Drives []string
	// Disk is the state disk, or one with a system; see NewDisk.
	Disk string
	// User logs in over ssh; empty is rancher.
	User string
	// Image is the folder with the image to boot; empty is out/. See Variant.
	Image string
	// Disks are more disks, which can be written to.
	Disks []string
	// Firmware boots by "bios" or "uefi"; empty loads kernel and initrd directly.
	Firmware string
	// NoDisc leaves the ISO out.
	NoDisc bool
	Mem    int // MiB; 0 is 1024
	CPUs   int // 0 is 2
	// Append is added to the kernel command line.
	Append string
	// Args are more arguments of QEMU.
	Args []string
	// Monitor is a socket where QEMU is told to plug cards; see NewMonitor.
	Monitor string
}

// A VM is a machine that runs.
type VM struct {
	t       testing.TB
	cmd     *exec.Cmd
	port    int
	user    string // who logs in
	client  *ssh.Client
	started time.Time
	// keyboard is the other side of the console.
	keyboard io.Writer

	mu    sync.Mutex
	lines []string
	open  string // what has come of a line that has not ended: a prompt
	// answered is the line from which a new prompt can come.
	answered int
	patience time.Duration // until an answer that came too early is typed again; 0 is 10 s
	marks    map[string]Mark
	more     chan struct{} // closed and made anew at each line
	off      bool
}

// A Mark is when a line "mark NAME" was on the console.
type Mark struct {
	// Wall is the time since QEMU was started, CPU the processor time that QEMU
	// used up to then.
	Wall, CPU time.Duration
}

// top is the project's folder, seen from a test's.
func top() string { return "../.." }

// Out is a built file: vmlinuz, initrd, root.squashfs, ros.iso, disk.qcow2.
func Out(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(top(), "out", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("%v: build it with `make image`", err)
	}
	return path
}

// NewDisk makes a blank disk of so many GiB and returns its file.
func NewDisk(t testing.TB, gib int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(gib) << 30); err != nil {
		t.Fatal(err)
	}
	return path
}

// key is the ssh key of this test run.
var key = sync.OnceValues(func() (ssh.Signer, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(k)
})

// PublicKey is the line for authorized_keys.
func PublicKey(t testing.TB) string {
	t.Helper()
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.PublicKey())))
}

// Start starts the machine and returns at once.
func Start(t testing.TB, m Machine) *VM {
	t.Helper()
	port := freePort(t)
	return launch(t, cmp.Or(m.User, "rancher"), port, m.args(t, port), m.In.start)
}

// launch starts QEMU by start. Port leads to the machine's ssh.
func launch(t testing.TB, user string, port int, args []string, start func(*exec.Cmd) error) *VM {
	t.Helper()
	v := &VM{t: t, port: port, user: user, marks: map[string]Mark{}, more: make(chan struct{})}
	v.cmd = exec.Command(qemu.Program, args...)
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	v.cmd.Stderr = &stderr
	if v.keyboard, err = v.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	v.started = time.Now()
	if err := start(v.cmd); err != nil {
		t.Fatalf("start QEMU: %v; apt-get install qemu-system-x86", err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		v.read(out)
	}()
	bound := v.KillAfter(longestLife)
	t.Cleanup(func() {
		bound.Stop()
		v.Kill()
		<-read
		if t.Failed() {
			t.Logf("console of the machine, last lines:\n%s\n%s", strings.Join(v.tail(60), "\n"), stderr.String())
		}
	})
	return v
}

// Boot starts the machine and waits until ssh answers.
func Boot(t testing.TB, m Machine) *VM {
	t.Helper()
	v := Start(t, m)
	v.WaitMark("ssh", 6*time.Minute)
	return v
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// cpu is the processor time of QEMU so far, from /proc/PID/stat (fields 14, 15).
func (v *VM) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	var ticks int
	for _, n := range f[11:13] {
		i, _ := strconv.Atoi(n) // the kernel writes numbers
		ticks += i
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// longestLife of a machine: one that hangs must not hang its test.
const longestLife = 20 * time.Minute

// KillAfter cuts the power later, so that whoever talks to the machine gets an
// error instead of waiting for ever.
func (v *VM) KillAfter(d time.Duration) *time.Timer {
	return time.AfterFunc(d, func() { _ = v.cmd.Process.Kill() })
}

// Kill is a power cut.
func (v *VM) Kill() {
	if v.client != nil {
		v.client.Close()
		v.client = nil
	}
	if v.cmd.Process != nil {
		_ = v.cmd.Process.Kill()
		_ = v.cmd.Wait()
	}
}

// Try runs a command over ssh.
func (v *VM) Try(command string) (string, error) {
	if err := v.connect(); err != nil {
		return "", err
	}
	s, err := v.client.NewSession()
	if err != nil {
		v.client.Close()
		v.client = nil
		return "", err
	}
	defer s.Close()
	out, err := s.CombinedOutput(command)
	return strings.TrimSpace(string(out)), err
}

// Run is Try that must succeed.
func (v *VM) Run(command string) string {
	v.t.Helper()
	out, err := v.Try(command)
	if err != nil {
		v.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}

// Eventually runs a command until its output contains want.
func (v *VM) Eventually(command, want string, timeout time.Duration) string {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		out, err := v.Try(command)
		if err == nil && strings.Contains(out, want) {
			return out
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			v.t.Fatalf("%s never said %q; last: %v\n%s", command, want, err, out)
		}
	}
}

func (v *VM) connect() error {
	if v.client != nil {
		return nil
	}
	k, err := key()
	if err != nil {
		return err
	}
	c, err := ssh.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", v.port), &ssh.ClientConfig{
		User: v.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(k)},
		// The machine is new and on our own loopback: there is no key to know yet.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), Timeout: 30 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("ssh %s@machine: %w", v.user, err)
	}
	v.client = c
	return nil
}
