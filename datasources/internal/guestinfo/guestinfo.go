// Package guestinfo reads the variables that a VMware host keeps for a virtual
// machine: guestinfo.metadata and the like.
//
// They are reached over the hypervisor's backdoor I/O port, without VMware's
// tools being installed.
package guestinfo

import (
	"bytes"
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

// toolTime is how long the program may take.
const toolTime = 10 * time.Second

func (t tool) rpc(command string) (string, error) {
	var out bytes.Buffer
	cmd := exec.Command(t.path, command)
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	late := time.AfterFunc(toolTime, func() { cmd.Process.Kill() })
	defer late.Stop()
	err := cmd.Wait()
	if e, failed := errors.AsType[*exec.ExitError](err); failed && e.Exited() {
		return "0 " + out.String(), nil
	}
	return "1 " + strings.TrimSuffix(out.String(), "\n"), err
}

func (t tool) Get(key string) (string, error) { return get(t.rpc, key) }
func (t tool) Set(key, value string) error    { return set(t.rpc, key, value) }
