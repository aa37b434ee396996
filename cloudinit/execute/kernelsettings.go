package execute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/cloudconfig"
)

// sysctl writes rancher.sysctl into the kernel, and into a file for those who
// read files.
func sysctl(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.Rancher.Sysctl) == 0 {
		return Skip("rancher.sysctl is empty")
	}
	var errs []error
	var conf strings.Builder
	for _, key := range sortedKeys(c.Rancher.Sysctl) {
		value := oneLine(c.Rancher.Sysctl[key])
		p, err := SysctlPath(key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(&conf, "%s = %s\n", key, value)
		if !t.Live && !t.Tree.Planned() {
			continue
		}
		if _, err := t.Tree.Overwrite(p, []byte(value+"\n")); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("this kernel has no such setting")
			}
			errs = append(errs, fmt.Errorf("sysctl %s: %w", key, err))
		}
	}
	errs = append(errs, t.write("/etc/sysctl.d/60-cloud-init.conf", conf.String(), 0o644))
	return errors.Join(errs...)
}

// SysctlPath is the file of a key: dots part, unless the key has slashes, as
// sysctl(8) reads it.
func SysctlPath(key string) (string, error) {
	p := key
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '.' {
		// net.ipv4.conf.eth0/100.forwarding names the link eth0.100.
		p = strings.NewReplacer(".", "/", "/", ".").Replace(key)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("sysctl %q: that is no key", key)
		}
	}
	return path.Join("/proc/sys", p), nil
}

// modules loads rancher.modules.
func modules(_ context.Context, t *Target, c *cloudconfig.Config) error {
	if len(c.Rancher.Modules) == 0 {
		return Skip("rancher.modules is empty")
	}
	var errs []error
	var conf strings.Builder
	for _, line := range c.Rancher.Modules {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		conf.WriteString(f[0] + "\n")
		name := strings.ReplaceAll(f[0], "-", "_")
		if t.Live && t.Kernel.HasModule(name) {
			continue
		}
		errs = append(errs, t.Set("module "+name, strings.Join(f[1:], " "), func() error {
			return t.Kernel.LoadModule(name, strings.Join(f[1:], " "))
		}))
	}
	if !t.Ours {
		errs = append(errs, t.write("/etc/modules-load.d/cloud-init.conf", conf.String(), 0o644))
	}
	return errors.Join(errs...)
}
