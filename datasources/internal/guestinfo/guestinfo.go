// Package guestinfo reads the variables that a VMware host keeps for a virtual
// machine: guestinfo.metadata and the like.
//
// They are reached over the hypervisor's backdoor I/O port, without VMware's
// tools being installed.
package guestinfo

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"rancheros/datasources"
)

// Vars are the variables, by name without the prefix "guestinfo.".
type Vars interface {
	// Get returns a variable, "" when it is not set.
	Get(key string) (string, error)
	// Set changes a variable. The host forgets it when the machine stops.
	Set(key, value string) error
	// Where says how they are reached: envvar, guestinfo.
	Where() string
}

// Redacted is what a variable is set to when it must not be read again. It is
// an empty YAML document.
const Redacted = "---"

// ErrNotVMware says that this machine has no such variables.
var ErrNotVMware = errors.New("this is no VMware machine, and VMX_GUESTINFO is not in the environment")

// Open finds the way to the variables of a machine.
func Open(h *datasources.Host) (Vars, error) {
	switch {
	case h.Env["VMX_GUESTINFO"] != "":
		return environment{h.Env}, nil
	case !IsVMware(h):
		return nil, ErrNotVMware
	case len(h.GuestInfo) > 0 || h.Dir != "/":
		return recorded(h.GuestInfo), nil
	case haveBackdoor:
		return backdoor{}, nil
	}
	return openTool()
}

// IsVMware says whether VMware is below us.
func IsVMware(h *datasources.Host) bool {
	return h.Virt == "vmware" || strings.Contains(strings.ToLower(h.DMI("product_name")), "vmware")
}

// environment is how containers are told: VMX_GUESTINFO_METADATA_ENCODING.
type environment struct{ env map[string]string }

func (environment) Where() string { return "envvar" }

func (e environment) Get(key string) (string, error) {
	return e.env["VMX_GUESTINFO_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))], nil
}

func (environment) Set(string, string) error { return nil }

// recorded are the variables of a recording.
type recorded map[string]string

func (recorded) Where() string { return "guestinfo" }

func (r recorded) Get(key string) (string, error) { return r[key], nil }

func (r recorded) Set(key, value string) error {
	if r != nil {
		r[key] = value
	}
	return nil
}

// call sends one command and returns what the host answers after "1 ". A
// variable that is not set is no error.
func get(rpc func(string) (string, error), key string) (string, error) {
	answer, err := rpc("info-get guestinfo." + key)
	if err != nil {
		return "", fmt.Errorf("read guestinfo.%s: %w", key, err)
	}
	value, ok := strings.CutPrefix(answer, "1 ")
	if !ok { // "0 No value found"
		return "", nil
	}
	return value, nil
}

func set(rpc func(string) (string, error), key, value string) error {
	answer, err := rpc("info-set guestinfo." + key + " " + value)
	if err == nil && !strings.HasPrefix(answer, "1") {
		err = fmt.Errorf("the host answers %q", answer)
	}
	if err != nil {
		return fmt.Errorf("write guestinfo.%s: %w", key, err)
	}
	return nil
}

// tool calls VMware's own program, where the backdoor has no port: on arm64.
type tool struct{ path string }

func openTool() (Vars, error) {
	path, err := exec.LookPath("vmware-rpctool")
	if err != nil {
		return nil, errors.New("read guestinfo: on this architecture vmware-rpctool of open-vm-tools is needed")
	}
	return tool{path}, nil
}

func (tool) Where() string { return "guestinfo" }

func (t tool) rpc(command string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, t.path, command).Output()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return "0 " + string(out), nil
	}
	return "1 " + strings.TrimSuffix(string(out), "\n"), err
}

func (t tool) Get(key string) (string, error) { return get(t.rpc, key) }
func (t tool) Set(key, value string) error    { return set(t.rpc, key, value) }
