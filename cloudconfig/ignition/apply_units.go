package ignition

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Where units and the list of enabled ones go.
const (
	unitDir    = "etc/systemd"
	presetFile = "etc/systemd/system-preset/20-ignition.preset"
)

// units writes units, drop-ins and presets; systemd enables by presets at its
// first start.
func (t tree) units(list []Unit) error {
	presets := map[string][]string{}
	for _, u := range list {
		if err := t.unit(u); err != nil {
			return fmt.Errorf("unit %s: %w", u.Name, err)
		}
		if u.Enabled == nil {
			continue
		}
		verb := "disable "
		if *u.Enabled {
			verb = "enable "
		} else if was, err := t.disable(u.Name); err != nil {
			return fmt.Errorf("unit %s: %w", u.Name, err)
		} else if !was {
			continue // as Ignition has it
		}
		// An instance is enabled by its template: "enable echo@.service a b".
		name, instance := u.Name, ""
		if at, dot := strings.Index(u.Name, "@"), strings.LastIndex(u.Name, "."); at >= 0 && dot > at {
			name, instance = u.Name[:at+1]+u.Name[dot:], u.Name[at+1:dot]
		}
		if presets[verb+name] == nil {
			presets[verb+name] = []string{}
		}
		if instance != "" {
			presets[verb+name] = append(presets[verb+name], instance)
		}
	}
	if len(presets) == 0 {
		return nil
	}
	return t.presets(presets)
}

// disable removes the links that enable a unit. It was enabled, too, if it
// cannot be: a unit without [Install].
func (t tree) disable(name string) (was bool, err error) {
	for _, kind := range []string{"wants", "requires"} {
		links, err := fs.Glob(t.FS(), path.Join(unitDir, "system", "*."+kind, escapeGlob(name)))
		if err != nil {
			return was, err
		}
		for _, l := range links {
			if err := t.Remove(l); err != nil {
				return was, err
			}
			was = true
			_ = t.Remove(path.Dir(l)) // if it is empty now
		}
	}
	for _, dir := range []string{"etc/systemd/system", "usr/lib/systemd/system"} {
		p, err := t.resolve(path.Join(dir, name))
		if err != nil {
			return was, err
		}
		if b, err := t.ReadFile(p); err == nil {
			return was || !strings.Contains(string(b), "[Install]"), nil
		}
	}
	return was, nil
}

func escapeGlob(name string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(name)
}

func (t tree) presets(presets map[string][]string) error {
	var lines []string
	for line, instances := range presets {
		lines = append(lines, strings.Join(append([]string{line}, instances...), " "))
	}
	slices.SortFunc(lines, func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, ' '):], b[strings.IndexByte(b, ' '):])
	})
	p, err := t.resolve(presetFile)
	if err != nil {
		return err
	}
	have, err := t.ReadFile(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.put(p, string(have)+strings.Join(lines, "\n")+"\n")
}

// replace writes a new file in the place of whatever file is there.
func (t tree) replace(p, contents string) error {
	return t.write(p, []byte(contents), nil)
}

// put writes a file that may be there already, which keeps its owner and mode.
func (t tree) put(p, contents string) error {
	st, err := t.Lstat(p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !st.Mode().IsRegular() {
		if err := t.Remove(p); err != nil {
			return err
		}
		st = nil
	}
	return t.write(p, []byte(contents), st)
}

func (t tree) unit(u Unit) error {
	p, err := t.resolve(path.Join(unitDir, u.Folder, u.Name))
	if err != nil {
		return err
	}
	for _, d := range u.Dropins {
		at, err := t.resolve(path.Join(unitDir, u.Folder, u.Name+".d", d.Name))
		if err != nil {
			return err
		}
		if err := t.replace(at, d.Contents); err != nil {
			return err
		}
	}
	if u.Contents != nil && *u.Contents != "" {
		if err := t.replace(p, *u.Contents); err != nil {
			return err
		}
	}
	if u.Mask == nil {
		return nil
	}
	st, err := t.Lstat(p)
	masked := false
	if err == nil && st.Mode()&fs.ModeSymlink != 0 {
		target, err := t.Readlink(p)
		if err != nil {
			return err
		}
		masked = target == "/dev/null"
	}
	switch {
	case *u.Mask && !masked:
		if err := t.RemoveAll(p); err != nil {
			return err
		}
		if err := t.MkdirAll(path.Dir(p), 0o755); err != nil {
			return err
		}
		return t.Symlink("/dev/null", p)
	case !*u.Mask && masked:
		return t.Remove(p)
	}
	return nil
}
