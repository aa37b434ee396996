package tree

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name     string
		patterns []string
		path     string
		want     bool
	}{
		{"the file itself", []string{"usr/bin/bash"}, "usr/bin/bash", true},
		{"all below a folder", []string{"usr/share/man"}, "usr/share/man/man1/x.1", true},
		{"not a longer name", []string{"usr/share/man"}, "usr/share/manual", false},
		{"a star stays in its element", []string{"usr/*/x"}, "usr/a/b/x", false},
		{"a star for a folder", []string{"usr/lib/*/gconv"}, "usr/lib/x86_64/gconv/a.so", true},
		{"a pattern that is longer than the path", []string{"usr/share/man"}, "usr", false},
		{"everything", []string{"*"}, "drivers/a/b.ko", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Match(c.patterns, c.path); got != c.want {
				t.Errorf("Match(%q, %q) = %v, want %v", c.patterns, c.path, got, c.want)
			}
		})
	}
}
