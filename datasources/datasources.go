// Package datasources finds out which cloud this machine is in and what that
// cloud says of it.
//
// A datasource is a value: a Kind with a func that looks at local facts
// (Detect) and one that talks (Fetch). Each has a folder of its own and a line
// in datasources/all.
package datasources

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"rancheros/cloudconfig/network"
)

// Needs says what must work before Fetch can.
type Needs int

const (
	// Local needs no network: a drive, a file, firmware.
	Local Needs = iota
	// LinkUp needs a link that is up, but no address: the kind uses link-local
	// addresses of its own.
	LinkUp
	// Network needs an address, from DHCP or from config.
	Network
)

// A Match is how sure Detect is.
type Match int

const (
	No Match = iota
	// Maybe: nothing speaks against it, but only Fetch can tell.
	Maybe
	// Yes: there is positive proof.
	Yes
)

// A Finding is what Detect saw.
type Finding struct {
	Match Match
	// Evidence is the fact that decided, as a person would say it:
	// `DMI sys_vendor is "Hetzner"`.
	Evidence string
}

// A Kind is one datasource.
type Kind struct {
	// Name is what rancher.cloud_init.datasources and users call it.
	Name string
	// Upstream is cloud-init's name of it (Ec2, ConfigDrive); what `ds=` and
	// result.json use. Empty where cloud-init has none.
	Upstream string
	// Aliases are other names that users may write.
	Aliases []string
	Needs   Needs
	// NeedsOn says what is needed on this machine, where that differs: a seed
	// may name a URL. Nil: Needs.
	NeedsOn func(*Host) Needs
	// Explicit: never picked unless the user named it (url, file, cmdline).
	Explicit bool
	// Detect sees local facts only. It must not open a socket.
	Detect func(*Host) Finding
	// Fetch asks. It must end when ctx does.
	Fetch func(ctx context.Context, env Env) (*Instance, error)
	// Report tells the cloud that provisioning is done or has failed (err), if
	// it expects to hear. May be nil.
	Report func(ctx context.Context, env Env, in *Instance, err error) error
	// Publish tells the cloud our public host keys, by type, where it shows them to
	// who wants to log in. ErrNotTaken says that this one does not. May be nil.
	Publish func(ctx context.Context, env Env, keys map[string]string) error
	// Same says without any network whether this machine is still the instance
	// that was saved: the cheap check at a reboot. Nil: compare DMI identity.
	Same func(h *Host, saved Identity) bool
}

// An Env is what Fetch may use.
type Env struct {
	Host *Host
	// Arg is what the user wrote after the colon: url:http://…
	Arg string
	// HTTP is used for every request, if it is set. Tests and recordings
	// replace its transport.
	HTTP *http.Client
	// Endpoint replaces the scheme and host of the cloud's own service.
	// Empty: the documented one.
	Endpoint string
	// Version is what requests call themselves: ros/VERSION.
	Version string
	// Pool: this is the machine's own boot, which may wait for days. Fetch may tell
	// the cloud that this machine waits in a pool, and answer Waiting.
	Pool bool
	Log  *slog.Logger
}

// ErrNotTaken is Publish's error where the cloud has a place for host keys, but it
// is switched off.
var ErrNotTaken = errors.New("the cloud takes no host keys of this machine")

// Waiting is Fetch's error on a machine that its cloud has made in advance and
// that nobody has taken yet. It is asked again, over a network brought up anew.
type Waiting struct{ Why string }

func (w *Waiting) Error() string { return "the machine waits in a pool for its user: " + w.Why }

// An Identity tells machines apart.
type Identity struct {
	Datasource string `json:"datasource"`
	InstanceID string `json:"instance_id"`
	// SystemUUID and Serial are the DMI product_uuid and product_serial.
	SystemUUID string `json:"system_uuid,omitempty"`
	Serial     string `json:"serial,omitempty"`
	// Drive is the file system UUID of the drive that was read, if one was.
	Drive string `json:"drive,omitempty"`
}

// An Instance is what a datasource said. A zero field means it did not say.
type Instance struct {
	// Datasource is the Kind's name, filled in by the picker.
	Datasource string `json:"datasource"`
	// Subplatform says how: "metadata (http://169.254.169.254)", "config-disk (/dev/vdb)".
	Subplatform  string   `json:"subplatform,omitempty"`
	ID           string   `json:"instance_id,omitempty"`
	Hostname     string   `json:"hostname,omitempty"`
	PublicKeys   []string `json:"public_ssh_keys,omitempty"`
	Region       string   `json:"region,omitempty"`
	Zone         string   `json:"availability_zone,omitempty"`
	InstanceType string   `json:"instance_type,omitempty"`
	PublicIPv4   string   `json:"public_ipv4,omitempty"`
	PrivateIPv4  string   `json:"private_ipv4,omitempty"`
	PublicIPv6   string   `json:"public_ipv6,omitempty"`
	PrivateIPv6  string   `json:"private_ipv6,omitempty"`
	// Network is nil when the datasource described none: then DHCP.
	Network *network.Config `json:"network,omitempty"`
	// UserData and the two vendor data are raw: perhaps gzip, MIME, anything.
	UserData    []byte `json:"user_data,omitempty"`
	VendorData  []byte `json:"vendor_data,omitempty"`
	VendorData2 []byte `json:"vendor_data2,omitempty"`
	// User is the login that the cloud asks for, if it does.
	User string `json:"user,omitempty"`
	// Password is a secret: never logged, never exported.
	Password   string `json:"-"`
	RandomSeed []byte `json:"-"`
	// Files are files that the cloud wants written (OpenStack personality).
	Files map[string][]byte `json:"-"`
	// RootDisk is the device whose first partition may be grown.
	RootDisk string `json:"root_disk,omitempty"`
	// Drive is the file system UUID of the drive that was read.
	Drive string `json:"drive,omitempty"`
	// Metadata is the datasource's own document, for instance-data.json.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Problems are parts that make no sense and were left out, as a person would
	// say it.
	Problems []string `json:"problems,omitempty"`
}

// SetNetwork takes over a network config, or says what is wrong with it: a
// machine with DHCP on its first link and its owner's keys can be mended.
func (in *Instance) SetNetwork(c *network.Config, err error) {
	if err != nil {
		in.Problems = append(in.Problems, err.Error())
		return
	}
	in.Network = c
}
