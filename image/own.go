package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rancheros/image/kernel"
	"rancheros/image/tree"
)

// findModules makes Modules the folder of those that belong to Kernel, and finds
// firmware beside it.
func (o *Options) findModules() error {
	switch {
	case o.Kernel == "" && o.Modules == "":
		return nil
	case o.Kernel == "":
		return fmt.Errorf("MODULES=%s has no kernel: KERNEL= must name its bzImage", o.Modules)
	case o.Modules == "":
		return fmt.Errorf("KERNEL=%s has no modules: MODULES= must name the folder that holds its lib/modules/RELEASE", o.Kernel)
	}
	release, err := kernel.Release(o.Kernel)
	if err != nil {
		return fmt.Errorf("KERNEL=%s: %w", o.Kernel, err)
	}
	var others []string
	for _, lib := range []string{"lib/modules", "usr/lib/modules"} {
		dir, err := realPath(o.Modules, lib, release)
		if err == nil {
			o.firmware, err = realPath(o.Modules, lib, "../firmware")
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			o.Modules = dir
			return err
		}
		found, err := filepath.Glob(filepath.Join(o.Modules, lib, "*"))
		if err != nil {
			return fmt.Errorf("MODULES=%s: %w", o.Modules, err)
		}
		others = append(others, found...)
	}
	if others == nil {
		return fmt.Errorf("MODULES=%s has no lib/modules: name the folder that it is in, with the modules of %s", o.Modules, release)
	}
	return fmt.Errorf("MODULES=%s has no lib/modules/%s, which KERNEL=%s needs, but only %s", o.Modules, release, o.Kernel, strings.Join(others, ", "))
}

func realPath(elem ...string) (string, error) {
	p, err := filepath.EvalSymlinks(filepath.Join(elem...))
	if err != nil {
		return "", err
	}
	return filepath.Abs(p)
}

// ownKernel makes KERNEL= and MODULES= look like a package.
func (b *build) ownKernel(t *tree.Tree) error {
	c, err := tree.OnDisk(b.Kernel)
	if err != nil {
		return fmt.Errorf("KERNEL=: %w", err)
	}
	release := filepath.Base(b.Modules)
	t.AddFile("boot/vmlinuz-"+release, 0o644, c, "KERNEL")
	return addFolder(t, "usr/lib/modules/"+release, b.Modules)
}

// addFirmware adds what the modules ask for, as far as it lies beside them.
func (b *build) addFirmware(t, modules *tree.Tree) error {
	if b.firmware == "" {
		return nil
	}
	before := t.Size()
	for _, name := range b.kernel.Firmware(modules) {
		for _, ending := range []string{"", ".xz", ".zst"} {
			found, err := filepath.Glob(filepath.Join(b.firmware, name+ending))
			if err != nil {
				return fmt.Errorf("firmware %s: %w", name, err)
			}
			for _, f := range found {
				if st, err := os.Stat(f); err != nil || !st.Mode().IsRegular() {
					continue
				}
				c, err := tree.OnDisk(f)
				if err != nil {
					return fmt.Errorf("firmware %s: %w", name, err)
				}
				to := "usr/lib/firmware" + strings.TrimPrefix(f, b.firmware)
				if t.Get(to) == nil { // a profile has said which
					t.AddFile(to, 0o644, c, "MODULES")
				}
			}
		}
	}
	b.Log("  %.1f MB of firmware", float64(t.Size()-before)/1e6)
	return nil
}
