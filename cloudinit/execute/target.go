package execute

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/accounts"
	"rancheros/cloudinit/report"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// programPath is where programs are looked for, whatever our own PATH is: at
// boot there is none.
const programPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Target is the machine that is made to fit its config.
type Target struct {
	Tree *tree.Tree
	// Live: the tree is the running machine. Otherwise nothing is done to the
	// kernel and no program is run, unless Chroot.
	Live bool
	// Chroot runs programs inside the tree when it is not the machine.
	Chroot bool
	// Ours: this is our OS, with a console, users rancher and docker, and
	// containers.
	Ours bool
	// InstanceID names the stamps of what runs once per instance.
	InstanceID string
	// Keys are the public keys that the cloud gave; RandomSeed its entropy.
	Keys       []string
	RandomSeed []byte
	// Files are those that the cloud wants written, by path.
	Files map[string][]byte
	// BlockDevices are disks by the cloud's own names for them: ephemeral0.
	BlockDevices map[string]string
	// Password is the one the cloud made for the default user.
	Password cloudconfig.Secret
	// Hostname is what the cloud calls this machine, where no config does.
	Hostname string
	// DefaultUser is who gets Keys where it is not our OS; "" asks the tree.
	DefaultUser string
	// Run starts a program and waits. PID 1 gives one that knows its children.
	Run func(*exec.Cmd) error
	// Kernel is the part of the machine that is no file.
	Kernel Kernel
	HTTP   *http.Client
	Log    *slog.Logger
	Now    func() time.Time
	// Console is where messages for people go; nil: nowhere.
	Console io.Writer
	// Output gets what programs print; Errors what they print as errors, nil: the
	// same.
	Output, Errors io.Writer

	// Doubt: a part of the config could not be read, or did not come. What it does
	// not name is then no proof of anything.
	Doubt bool
	// CheckIn tells the cloud how provisioning went, where the cloud expects to
	// hear, and says whether it did; nil: nobody to tell.
	CheckIn func(ctx context.Context, failed error) (told bool, err error)
	// Publish tells the cloud our public host keys; told is false where it does not
	// want them. Nil: nobody to tell.
	Publish func(ctx context.Context, keys map[string]string) (told bool, err error)
	// Online waits for the network, when something has to be fetched and cannot
	// be; nil: it is there.
	Online func(ctx context.Context) error
	// Later are programs to start when everything is recorded: the shutdown of
	// power_state.
	Later [][]string

	// reports are those who hear of this run.
	reports *report.Reports
	// unsupported are keys of the config that nothing here acts on.
	unsupported cloudconfig.Problems
	// ledger is what is ours; nil: no books are kept.
	ledger *ledger
	// distroUser is the default user where it is not our OS; nil: not yet asked for.
	distroUser *cloudconfig.User
	// failed is what went wrong in this run so far.
	failed   error
	applier  string
	warnings []string
	// turns are the appliers that have had theirs and no stamp yet.
	turns []Applier
	// undone: the applier's programs belong to another machine.
	undone bool
	// starting is called before a program of the applier starts; nil: nobody minds.
	starting func() error
}

// New is the target with everything as a running machine has it. dir is the
// root: "/" for this machine.
func New(t *tree.Tree) *Target {
	return &Target{
		Tree:       t,
		Live:       path.Clean(t.Dir()) == "/",
		Ours:       state.IsOurs(t),
		InstanceID: state.CurrentID(t),
		Run:        (*exec.Cmd).Run,
		Kernel:     linux{},
		HTTP:       &http.Client{Timeout: 30 * time.Second},
		Log:        slog.New(slog.DiscardHandler),
		Now:        time.Now,
		Output:     io.Discard,
	}
}

// Warn notes something a person should know that stopped nothing.
func (t *Target) Warn(format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	t.warnings = append(t.warnings, msg)
	t.Log.Warn(msg, "applier", t.applier)
}

// Program says where a program lies in the tree, "" when it is not there.
func (t *Target) Program(name string) string {
	for dir := range strings.SplitSeq(programPath, ":") {
		p := path.Join(dir, name)
		if n, err := t.Tree.Stat(p); err == nil && n.Kind == tree.File && n.Mode&0o111 != 0 {
			return p
		}
	}
	return ""
}

// Command is a program of the tree with its arguments, ready for Do.
func (t *Target) Command(ctx context.Context, argv ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// exec looked in our PATH; ours may be empty and the tree another machine.
	if !strings.Contains(argv[0], "/") {
		if p := t.Program(argv[0]); p != "" {
			c.Path, c.Err = p, nil
		}
	} else {
		c.Path, c.Err = argv[0], nil
	}
	c.Env = []string{"PATH=" + programPath, "HOME=/root", "LANG=C.UTF-8"}
	if t.InstanceID != "" {
		c.Env = append(c.Env, "INSTANCE_ID="+t.InstanceID)
	}
	c.Dir = "/"
	c.Stdout, c.Stderr = t.Output, t.Output
	if t.Errors != nil {
		c.Stderr = t.Errors
	}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	return c
}

// Do runs a program, or remembers it in a plan. On a tree that is not the
// machine it is not run, and a warning says so.
func (t *Target) Do(c *exec.Cmd) error {
	change := tree.Change{Op: tree.Run, Target: strings.Join(c.Args, " ")}
	switch {
	case t.Tree.Planned():
		t.Tree.Note(change)
		return nil
	case !t.Live && !t.Chroot:
		t.undone = true
		t.Warn("not run, the root is not this machine: %s", change.Target)
		return nil
	}
	if t.starting != nil {
		if err := t.starting(); err != nil {
			return err
		}
	}
	if err := t.start(c); err != nil {
		return fmt.Errorf("run %s: %w", c.Args[0], err)
	}
	t.Tree.Note(change)
	return nil
}

// start runs a program of the machine, or inside the tree that is another's.
func (t *Target) start(c *exec.Cmd) error {
	if !t.Live {
		if c.SysProcAttr == nil {
			c.SysProcAttr = &syscall.SysProcAttr{}
		}
		c.SysProcAttr.Chroot = t.Tree.Dir()
	}
	if c.Err != nil {
		return c.Err
	}
	return t.Run(c)
}

// Set changes a setting of the running kernel by f, or remembers it.
func (t *Target) Set(what, value string, f func() error) error {
	if !t.Live && !t.Tree.Planned() {
		return nil
	}
	if !t.Tree.Planned() {
		if err := f(); err != nil {
			return err
		}
	}
	t.Tree.Note(tree.Change{Op: tree.Set, Path: what, Target: value})
	return nil
}

// write is Tree.WriteFile for files of root's, where only the error matters.
func (t *Target) write(p, content string, mode uint32) error {
	_, err := t.Tree.WriteFile(p, []byte(content), tree.Perm{Mode: mode, Secret: mode&0o004 == 0})
	return err
}

// accounts loads the users; every applier does so afresh, because the one
// before may have changed them.
func (t *Target) accounts() (*accounts.DB, error) { return accounts.Load(t.Tree) }

// host is the file of the running machine's own root, for edges of the kernel.
func (t *Target) host(p string) string { return path.Join(t.Tree.Dir(), p) }

func (t *Target) say(format string, args ...any) {
	if t.Console == nil || t.Tree.Planned() {
		return
	}
	fmt.Fprintf(t.Console, format+"\n", args...)
}
