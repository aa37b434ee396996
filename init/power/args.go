// Package power takes the machine down: poweroff, reboot, halt, shutdown.
package power

import (
	"errors"
	"fmt"
	"strings"
)

// An Action is how the machine ends.
type Action string

const (
	Poweroff Action = "poweroff"
	Reboot   Action = "reboot"
	Halt     Action = "halt"
)

// A Request is a power command's command line.
type Request struct {
	Action Action
	// Force: do not check the config first.
	Force bool
}

// ErrHelp asks for the usage text.
var ErrHelp = errors.New("help wanted")

// Parse reads the command line of poweroff, reboot, halt or shutdown.
func Parse(name string, args []string) (Request, error) {
	r := Request{Action: Action(name)}
	if name == "shutdown" {
		r.Action = Poweroff
	}
	for _, a := range args {
		switch {
		case a == "--help":
			return r, ErrHelp
		case a == "-f" || a == "--force":
			r.Force = true
		case a == "-H" || a == "--halt":
			r.Action = Halt
		case a == "-P" || a == "--poweroff" || a == "-p":
			r.Action = Poweroff
		case a == "-r" || a == "--reboot":
			r.Action = Reboot
		case a == "-h" && name == "shutdown":
			r.Action = Poweroff
		case a == "now" && name == "shutdown", a == "+0" && name == "shutdown":
		case strings.HasPrefix(a, "-"):
			return r, fmt.Errorf("%s: unknown option %s; see `%s --help`", name, a, name)
		default:
			return r, fmt.Errorf("%s: %q is not understood: the only time is now; see `%s --help`", name, a, name)
		}
	}
	return r, nil
}

// Usage is the text of --help.
func Usage(name string) string {
	more := ""
	if name == "shutdown" {
		more = " [now]"
	}
	return fmt.Sprintf(`usage: %s [-f] [-H|-P|-r]%s

Stops the containers, unmounts the disks and ends the machine.

  -f, --force     do not check first that the config can be read at the next boot
  -H, --halt      halt
  -P, --poweroff  power off
  -r, --reboot    reboot

The machine goes down by force after rancher.shutdown_timeout seconds.
`, name, more)
}
