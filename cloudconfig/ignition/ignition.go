// Package ignition imports Ignition configs: it says in our own terms what a
// config of version 2.x or 3.x wants of a machine, and names what it wants that
// cannot be had here.
//
// Whether a config is valid is decided by Ignition's own code.
//
// https://coreos.github.io/ignition/specs/
package ignition

import (
	"context"
	"errors"
	"fmt"

	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/userdata/fetch"
)

// An Import is what a config means here. It is plain data: everything remote has
// been fetched and verified.
type Import struct {
	// Version is the one that the config names.
	Version string `json:"version"`
	// Config says all of it that is possible as cloud-config: users, groups, keys,
	// files, directories, links, file systems, mounts, services, users and groups
	// that are to be removed. It is never nil. The fields below say the same
	// again as Ignition has it.
	Config *yaml.Node `json:"-"`

	Directories []Directory `json:"directories,omitempty"`
	Files       []File      `json:"files,omitempty"`
	Links       []Link      `json:"links,omitempty"`
	// Units are written where systemd runs. Those that Config has as services
	// are marked.
	Units  []Unit  `json:"units,omitempty"`
	Users  []User  `json:"users,omitempty"`
	Groups []Group `json:"groups,omitempty"`
	// Problems are what cannot be had here, and what is strange.
	Problems []Problem `json:"problems,omitempty"`
}

// A Node is what directories, files and links have in common.
type Node struct {
	Path string `json:"path"`
	// Owner and Group: an ID or a name; nil is root, or what is there.
	User  *Owner `json:"user,omitempty"`
	Group *Owner `json:"group,omitempty"`
	// Overwrite nil means Ignition's default for the kind of node.
	Overwrite *bool `json:"overwrite,omitempty"`
}

// An Owner is a user or group, by ID if it has one.
type Owner struct {
	ID   *int   `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// A Directory to be there. Mode is in permission bits of Unix, setuid and such
// included; nil is 0755.
type Directory struct {
	Node
	Mode *uint32 `json:"mode,omitempty"`
}

// A File to be there.
type File struct {
	Node
	// Mode nil is 0644, or that of the file that is there.
	Mode *uint32 `json:"mode,omitempty"`
	// Contents nil leaves a file as it is, or makes an empty one.
	Contents *[]byte `json:"contents,omitempty"`
	// Append follows the contents, or what is there.
	Append [][]byte `json:"append,omitempty"`
}

// A Link to be there.
type Link struct {
	Node
	Target string `json:"target"`
	Hard   bool   `json:"hard,omitempty"`
}

// A Unit of systemd.
type Unit struct {
	Name     string   `json:"name"`
	Contents *string  `json:"contents,omitempty"`
	Enabled  *bool    `json:"enabled,omitempty"`
	Mask     *bool    `json:"mask,omitempty"`
	Dropins  []Dropin `json:"dropins,omitempty"`
	// Folder is "system" or, for units of systemd-networkd, "network".
	Folder string `json:"folder"`
	// Service is the name of the service in Config that does what the unit does.
	Service string `json:"service,omitempty"`
}

// A Dropin changes a unit.
type Dropin struct {
	Name     string `json:"name"`
	Contents string `json:"contents"`
}

// A User to be there, or with Remove not to be there.
type User struct {
	Name              string   `json:"name"`
	Remove            bool     `json:"remove,omitempty"`
	UID               *int     `json:"uid,omitempty"`
	Gecos             string   `json:"gecos,omitempty"`
	HomeDir           string   `json:"home_dir,omitempty"`
	NoCreateHome      bool     `json:"no_create_home,omitempty"`
	NoUserGroup       bool     `json:"no_user_group,omitempty"`
	NoLogInit         bool     `json:"no_log_init,omitempty"`
	System            bool     `json:"system,omitempty"`
	PasswordHash      *string  `json:"password_hash,omitempty"`
	PrimaryGroup      string   `json:"primary_group,omitempty"`
	Groups            []string `json:"groups,omitempty"`
	Shell             string   `json:"shell,omitempty"`
	SSHAuthorizedKeys []string `json:"ssh_authorized_keys,omitempty"`
}

// A Group to be there, or with Remove not to be there.
type Group struct {
	Name         string  `json:"name"`
	Remove       bool    `json:"remove,omitempty"`
	GID          *int    `json:"gid,omitempty"`
	PasswordHash *string `json:"password_hash,omitempty"`
	System       bool    `json:"system,omitempty"`
}

// A Problem is something of a config that is not done, or is strange.
type Problem struct {
	// At is where in the config, as $.storage.raid.0; Line and Column are 0 if
	// they are not known.
	At     string `json:"at,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	// Fatal is true if the config says something that is not done.
	Fatal   bool   `json:"fatal,omitempty"`
	Message string `json:"message"`
}

// Options of Parse.
type Options struct {
	// Fetch gets configs and files that are elsewhere; nil refuses them.
	Fetch fetch.Fetcher
	// Systemd is for systems that have it: units are written and enabled. Else
	// those that run a container become services.
	Systemd bool
	// MaxBytes bounds everything fetched and unpacked; 0 means 64 MB.
	MaxBytes int64
}

// An InvalidError lists why a config is not valid.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	if len(e.Problems) == 0 {
		return "ignition config is not valid"
	}
	p := e.Problems[0]
	text := "ignition config is not valid: " + p.Message
	if p.At != "" {
		text += " at " + p.At
	}
	if len(e.Problems) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(e.Problems)-1)
	}
	return text
}

// Parse reads a config and everything it refers to. The error is an
// *InvalidError, or says what could not be fetched; then nothing of the config
// may be applied, as Ignition has it.
func Parse(ctx context.Context, data []byte, o Options) (*Import, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	l := &loader{ctx: ctx, fetch: o.Fetch, left: o.MaxBytes}
	c, err := l.config(data)
	if err != nil {
		return nil, err
	}
	im := &Import{Version: l.version, Problems: l.problems}
	if err := im.storage(l, c); err != nil {
		return nil, err
	}
	im.passwd(c)
	im.units(c)
	if err := im.cloudConfig(c, o); err != nil {
		return nil, err
	}
	im.unsupported(c)
	return im, nil
}

func (im *Import) problem(at, format string, args ...any) {
	im.Problems = append(im.Problems, Problem{At: at, Fatal: true, Message: fmt.Sprintf(format, args...)})
}

// errNoFetch is what a source says when nothing may be fetched.
var errNoFetch = errors.New("fetching is not allowed here")

type config = types.Config

// String is "message at $.place".
func (p Problem) String() string {
	if p.At == "" || p.At == "$" {
		return p.Message
	}
	return p.Message + " at " + p.At
}
