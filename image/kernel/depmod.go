package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"slices"
	"strings"
)

// readInfo reads the module's own words about itself: the .modinfo section,
// "key=value" separated by NUL.
func (m *module) readInfo(data []byte) error {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return err
	}
	s := f.Section(".modinfo")
	if s == nil {
		return fmt.Errorf("it has no .modinfo section")
	}
	info, err := s.Data()
	if err != nil {
		return err
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "alias":
			m.aliases = append(m.aliases, value)
		case "softdep":
			m.softdeps = append(m.softdeps, value)
		case "firmware":
			m.firmware = append(m.firmware, value)
		case "depends":
			for d := range strings.SplitSeq(value, ",") {
				if d != "" {
					m.depends = append(m.depends, Name(d))
				}
			}
		}
	}
	return nil
}

// indexes makes the files that depmod would, of modules sorted by name.
func indexes(modules []*module) map[string]string {
	byName := map[string]*module{}
	for _, m := range modules {
		byName[m.name] = m
	}
	var dep, alias, soft strings.Builder
	for _, m := range modules {
		dep.WriteString(m.path + ":")
		for _, d := range order(m, byName) {
			dep.WriteString(" " + d.path)
		}
		dep.WriteByte('\n')
		for _, a := range m.aliases {
			fmt.Fprintf(&alias, "alias %s %s\n", a, m.name)
		}
		for _, s := range m.softdeps {
			fmt.Fprintf(&soft, "softdep %s %s\n", m.name, s)
		}
	}
	return map[string]string{"modules.dep": dep.String(), "modules.alias": alias.String(), "modules.softdep": soft.String()}
}

// order lists all that a module needs, what is needed most at the end, as
// modules.dep(5) has it: loaded from the last to the first.
func order(m *module, byName map[string]*module) []*module {
	var out []*module
	seen := map[string]bool{m.name: true}
	var visit func(m *module)
	visit = func(m *module) {
		for _, d := range m.depends {
			if n := byName[d]; n != nil && !seen[d] {
				seen[d] = true
				visit(n)
				out = append(out, n)
			}
		}
	}
	visit(m)
	slices.Reverse(out)
	return out
}
