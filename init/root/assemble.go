package root

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/sys/blkdev"
)

// An assembler makes devices that are made of others appear: RAID sets, what
// LUKS hides, and logical volumes, on each other in any order.
type assembler struct {
	state cloudconfig.State
	// degraded also starts RAID sets that lack a disk.
	degraded bool
	// incomplete says that there are disks of a RAID set which has not started.
	incomplete bool
	// err is what went wrong the last time.
	err error

	seen   string // the devices of the last look: without others, a second try finds nothing
	asked  []string
	script bool // it has run
}

// rounds is how deep devices may lie in each other.
const rounds = 8

// run does what can be done with the devices that are there now. Anything that
// makes a device appear is tried again with what it made.
func (a *assembler) run(ctx context.Context) {
	var errs []error
	for range rounds {
		devs, err := blkdev.List("/")
		if err != nil {
			errs = append(errs, err)
			break
		}
		if names := fmt.Sprint(names(devs), a.degraded); names == a.seen {
			break
		} else {
			a.seen = names
		}
		errs = append(errs, a.raid(ctx, devs), a.unlock(ctx, devs), a.volumes(ctx, devs))
	}
	if !a.script {
		a.script = true
		if err := runScript(ctx, a.state.Script); err != nil {
			errs = append(errs, err)
		}
		a.incomplete = a.incomplete && len(waiting("linux_raid_member")) > 0
	}
	a.err = and(append([]error{a.err}, errs...)...)
}

func names(devs []blkdev.Info) []string {
	var out []string
	for _, d := range devs {
		out = append(out, d.Name)
	}
	return out
}

// waiting lists the devices of a kind that no other device is made of yet.
func waiting(kind string) []blkdev.Info {
	devs, err := blkdev.List("/")
	if err != nil {
		return nil
	}
	return unused(devs, kind)
}

func unused(devs []blkdev.Info, kind string) []blkdev.Info {
	return slices.DeleteFunc(slices.Clone(devs), func(d blkdev.Info) bool { return d.FSType != kind || len(d.Holders("/")) > 0 })
}

// raid starts the RAID sets whose disks are all there; with degraded set, those
// that lack a disk too.
func (a *assembler) raid(ctx context.Context, devs []blkdev.Info) error {
	if !a.state.MdadmScan || len(unused(devs, "linux_raid_member")) == 0 {
		return nil
	}
	args := []string{"mdadm", "--assemble", "--scan", "--no-degraded"}
	if a.degraded {
		args[3] = "--run"
	}
	err := command(ctx, args...)
	stopInactive(ctx)
	a.incomplete = len(waiting("linux_raid_member")) > 0
	if !a.incomplete || !a.degraded {
		return nil // it also fails when one set of many lacks a disk
	}
	return err
}

// stopInactive takes sets apart that lack a disk and did not start, so that the
// next try finds all that is there by then.
func stopInactive(ctx context.Context) {
	found, err := filepath.Glob("/sys/block/md*/md/array_state")
	if err != nil {
		return
	}
	for _, file := range found {
		state, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(state)) != "inactive" {
			continue
		}
		name := filepath.Base(filepath.Dir(filepath.Dir(file)))
		_ = command(ctx, "mdadm", "--stop", "/dev/"+name) // it has said before what is wrong
	}
}

func (a *assembler) volumes(ctx context.Context, devs []blkdev.Info) error {
	if !a.state.LvmScan || len(unused(devs, "LVM2_member")) == 0 {
		return nil
	}
	return command(ctx, "vgchange", "--activate", "ay")
}

// unlock opens every LUKS device; a person types the passphrase on the console.
// Each is asked for once, with three tries.
func (a *assembler) unlock(ctx context.Context, devs []blkdev.Info) error {
	if !a.state.Cryptsetup {
		return nil
	}
	var errs []error
	for _, d := range unused(devs, "crypto_LUKS") {
		if slices.Contains(a.asked, d.Name) {
			continue
		}
		a.asked = append(a.asked, d.Name)
		if err := ask(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("unlock %s: %w", d.Path, err))
		}
	}
	return and(errs...)
}

func ask(ctx context.Context, d blkdev.Info) error {
	tty, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("ask for the passphrase: %w", err)
	}
	defer tty.Close()
	cmd := tool(ctx, "cryptsetup", "open", "--type", "luks", "--tries", "3", d.Path, "luks-"+d.Name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	return explain(cmd.Run())
}

// howToOpen says what makes the inside of a device of that kind appear.
func howToOpen(kind string) string {
	return map[string]string{
		"crypto_LUKS": "set rancher.state.cryptsetup", "linux_raid_member": "set rancher.state.mdadm_scan",
		"LVM2_member": "set rancher.state.lvm_scan and name the volume",
	}[kind]
}

// tool is a program of PROFILE=storage. udev does not run yet: the tools must
// make the names of devices themselves and not wait for it.
func tool(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DM_DISABLE_UDEV=1", "MDADM_NO_UDEV=1", "LC_ALL=C")
	return cmd
}

func command(ctx context.Context, argv ...string) error {
	out, err := tool(ctx, argv...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), explain(err), strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}

func explain(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: build the image with PROFILE=storage", err)
	}
	return err
}

// runScript runs rancher.state.script: a script as it would stand in a file, or
// a line for the shell.
func runScript(ctx context.Context, text string) error {
	if text == "" {
		return nil
	}
	f, err := os.CreateTemp("", "state-script-")
	if err != nil {
		return fmt.Errorf("rancher.state.script: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o700), f.Close()); err != nil {
		return fmt.Errorf("rancher.state.script: %w", err)
	}
	argv := []string{"/bin/sh", f.Name()}
	if strings.HasPrefix(text, "#!") {
		argv = argv[1:]
	}
	out, err := tool(ctx, argv...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("rancher.state.script: %w: %s", err, strings.Join(strings.Fields(string(out)), " "))
	}
	return nil
}
