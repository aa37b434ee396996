package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// BootCmd runs bootcmd: early, at every boot, before the network is needed.
func BootCmd(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	return t.commands(ctx, "bootcmd", c.BootCmd)
}

// bootcmd does the same where no process 1 of ours has done it.
func bootcmd(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if t.Ours {
		return Skip("process 1 has run it")
	}
	hooks := BootHooks(ctx, t)
	if len(c.BootCmd) == 0 && hooks == nil {
		return Skip("bootcmd is empty")
	}
	return errors.Join(hooks, BootCmd(ctx, t, c))
}

// runcmd runs what the user wrote to run, when all else is done.
func runcmd(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.RunCmd) == 0 {
		return Skip("runcmd is empty")
	}
	return t.commands(ctx, "runcmd", c.RunCmd)
}

// commands runs a list as one script, as upstream does: a `cd` or a variable of
// one line holds for the next, and the exit code of the last is that of all.
func (t *Target) commands(ctx context.Context, what string, list []cloudconfig.Command) error {
	var script strings.Builder
	var lines []string
	script.WriteString("#!/bin/sh\n")
	for _, cmd := range list {
		line := strings.TrimSpace(cmd.Shell)
		if len(cmd.Args) > 0 {
			var words []string
			for _, w := range cmd.Args {
				words = append(words, shellQuote(w))
			}
			line = strings.Join(words, " ")
		}
		if line != "" {
			script.WriteString(line + "\n")
			lines = append(lines, cmd.String())
		}
	}
	if t.Tree.Planned() || !t.Live && !t.Chroot {
		var errs []error
		for _, l := range lines {
			errs = append(errs, t.Do(t.Command(ctx, l)))
		}
		return errors.Join(errs...)
	}
	p := path.Join(paths.CloudInitRun, what)
	err := t.quietly(func() error {
		_, err := t.Tree.WriteFile(p, []byte(script.String()), tree.Perm{Mode: 0o700, Secret: true})
		return err
	})
	if err != nil {
		return err
	}
	err = t.quietly(func() error { return t.Do(t.Command(ctx, "sh", p)) })
	for _, l := range lines {
		t.Tree.Note(tree.Change{Op: tree.Run, Target: l})
	}
	if err != nil {
		return fmt.Errorf("%s: %w; see %s", what, err, state.OutputFile)
	}
	return nil
}

// per is cloud-init-per FREQUENCY NAME PROGRAM ARGS: run a program once, once
// per instance or at each boot.
func (t *Target) per(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return errors.New("cloud-init-per: want FREQUENCY NAME PROGRAM [ARGUMENT...]")
	}
	a := Applier{Name: state.Per + state.SafeName(strings.ReplaceAll(args[1], "-", "_"))}
	switch args[0] {
	case "always":
		a.Every = Boot
	case "instance":
		a.Every = Instance
	case "once":
		a.Every = Once
	default:
		return fmt.Errorf("cloud-init-per: %q is none of always, instance, once", args[0])
	}
	if err := t.due(a); err != nil {
		return unskipped(err)
	}
	err := t.Do(t.Command(ctx, args[2:]...))
	return errors.Join(err, t.stamp(a))
}

// Per is the program cloud-init-per.
func Per(ctx context.Context, t *Target, args []string) error { return t.per(ctx, args) }

// runFolder runs the executable files of a folder, by name. All are tried.
func (t *Target) runFolder(ctx context.Context, dir string, prefix []string) error {
	names, err := t.Tree.List(dir)
	if err != nil {
		return err
	}
	var errs []error
	n := 0
	for _, name := range names {
		p := path.Join(dir, name)
		if dir != path.Join(state.Scripts, path.Base(dir)) && t.sameFile(p, path.Join(state.Scripts, path.Base(dir), name)) {
			continue // another cloud-init keeps those of user-data there
		}
		node, err := t.Tree.Stat(p)
		if err != nil || node.Kind != tree.File || node.Mode&0o111 == 0 {
			continue
		}
		n++
		errs = append(errs, t.script(ctx, p, prefix))
	}
	if n == 0 {
		return Skip("there are no scripts in " + dir)
	}
	return errors.Join(errs...)
}

func (t *Target) sameFile(a, b string) bool {
	x, err1 := t.Tree.ReadFile(a)
	y, err2 := t.Tree.ReadFile(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// runFolders runs the scripts of a frequency: those that lie on the machine, and
// those of this instance's user-data.
func (t *Target) runFolders(ctx context.Context, frequency string) error {
	why1, err1 := skipped(t.runFolder(ctx, path.Join(state.Scripts, frequency), nil))
	why2, err2 := skipped(t.runFolder(ctx, path.Join(state.Instance, "scripts", frequency), nil))
	if err := errors.Join(err1, err2); err != nil || why1 == "" || why2 == "" {
		return err
	}
	return Skip("there are no scripts " + frequency)
}

func (t *Target) script(ctx context.Context, p string, prefix []string) error {
	argv := append(append([]string(nil), prefix...), p)
	return t.Do(t.Command(ctx, argv...))
}

func scriptsVendor(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	if vendorDisabled(c.VendorData.Enabled) {
		return Skip("vendor_data.enabled is false")
	}
	return t.runFolder(ctx, state.Instance+"/scripts/vendor", c.VendorData.Prefix)
}

// vendorDisabled says whether the switch of vendor data is off.
func vendorDisabled(enabled any) bool {
	switch v := enabled.(type) {
	case *bool:
		return v != nil && !*v
	case cloudconfig.Choice:
		return !v.Bool(true)
	}
	return false
}

func scriptsPerOnce(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
	return t.runFolders(ctx, "per-once")
}

func scriptsPerBoot(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
	return t.runFolders(ctx, "per-boot")
}

func scriptsPerInstance(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
	return t.runFolders(ctx, "per-instance")
}

// scriptsUser runs the scripts of the user-data, and on our OS the one that
// lies where the original kept it.
func scriptsUser(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
	err := t.runFolder(ctx, state.Instance+"/scripts", nil)
	// Save puts the same script in both places; somebody else may have put one
	// there without a datasource.
	if why, _ := skipped(err); !t.Ours || why == "" || !t.Tree.Exists(paths.UserScript) {
		return err
	}
	return t.script(ctx, paths.UserScript, nil)
}

// BootHooks runs the #cloud-boothook parts: at each boot, as early as they are
// known.
func BootHooks(ctx context.Context, t *Target) error {
	return unskipped(t.runFolder(ctx, state.Instance+"/boothooks", nil))
}

// Script runs one script that is not kept: it is written to p, run, and
// removed.
func Script(ctx context.Context, t *Target, p string, content []byte, prefix []string) (Result, error) {
	a := Applier{Name: "script " + path.Base(p), Phase: Final, Every: Boot,
		Apply: func(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
			if t.Tree.Planned() {
				return t.script(ctx, path.Base(p), prefix)
			}
			err := t.quietly(func() error {
				_, err := t.Tree.WriteFile(p, content, tree.Perm{Mode: 0o700, Secret: true})
				return err
			})
			if err != nil {
				return err
			}
			err = t.script(ctx, p, prefix)
			return errors.Join(err, t.quietly(func() error { _, err := t.Tree.Remove(p); return err }))
		}}
	return t.apply(ctx, a, nil)
}

// CleanHooks runs what others hung into `cloud-init clean`.
func CleanHooks(ctx context.Context, t *Target) error {
	return unskipped(t.runFolder(ctx, "/etc/cloud/clean.d", nil))
}
