package tree

import "fmt"

// What a Change did.
const (
	Create  = "create"
	Replace = "replace"
	Chmod   = "chmod"
	Mkdir   = "mkdir"
	Symlink = "symlink"
	// Hardlink is another name of a file.
	Hardlink = "hardlink"
	Remove   = "remove"
	// Run is a program that was started, Set a setting of the running kernel.
	Run = "run"
	Set = "set"
)

// A Change is one thing that is different now, or would be.
type Change struct {
	Op   string
	Path string
	// Target is what a link points to, what a program was given, what
	// a setting was set to.
	Target   string
	Mode     uint32
	UID, GID int
	// Before and After are the contents of a file.
	Before, After []byte
	// Secret: contents are not to be shown.
	Secret bool
}

// String is the change in one line.
func (c Change) String() string {
	switch c.Op {
	case Symlink, Hardlink:
		return fmt.Sprintf("%s %s -> %s", c.Op, c.Path, c.Target)
	case Remove:
		return "remove " + c.Path
	case Run:
		return "run " + c.Target
	case Set:
		return fmt.Sprintf("set %s = %s", c.Path, c.Target)
	}
	return fmt.Sprintf("%s %s (%04o, %d:%d)", c.Op, c.Path, c.Mode, c.UID, c.GID)
}

func (t *Tree) note(c Change) {
	// The contents matter to a plan only; a machine must not keep them.
	if !t.planned {
		c.Before, c.After = nil, nil
	}
	t.changes = append(t.changes, c)
}

// Note remembers a change that is not one of files.
func (t *Tree) Note(c Change) { t.note(c) }

// Changes are all changes so far.
func (t *Tree) Changes() []Change { return t.changes }

// Unrecorded runs f and forgets the changes that it made.
func (t *Tree) Unrecorded(f func() error) error {
	n := len(t.changes)
	err := f()
	t.changes = t.changes[:n]
	return err
}
