package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bzImage is the head of one.
func bzImage(release string) string {
	head := make([]byte, 0x400)
	copy(head[0x202:], "HdrS")
	head[0x20f] = 1
	copy(head[0x300:], release+" (who@where) #1")
	return string(head)
}

func TestModulesAreThoseOfTheKernel(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"bzImage": bzImage("6.1.2-mine"), "vmlinux": "\x7fELF", "none/x": "",
		"lib/modules/6.1.2-mine/modules.dep": "", "lib/modules/5.0/modules.dep": "", "lib/firmware/a": "",
		"deb/usr/lib/modules/6.1.2-mine/modules.dep": "", "old/lib/modules/5.0/modules.dep": "",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, tt := range []struct{ name, kernel, modules, want, firmware, err string }{
		{"neither", "", "", "", "", ""},
		{"of several", "bzImage", ".", "lib/modules/6.1.2-mine", "lib/firmware", ""},
		{"as packages have them", "bzImage", "deb", "deb/usr/lib/modules/6.1.2-mine", "", ""},
		{"of another kernel", "bzImage", "old", "", "", "has no lib/modules/6.1.2-mine, which KERNEL=bzImage needs, but only old/lib/modules/5.0"},
		{"none", "bzImage", "none", "", "", "MODULES=none has no lib/modules: name"},
		{"no MODULES=", "bzImage", "", "", "", "MODULES= must name"},
		{"no KERNEL=", "", ".", "", "", "KERNEL= must name"},
		{"not a bzImage", "vmlinux", ".", "", "", "arch/x86/boot/bzImage"},
		{"no kernel", "gone", ".", "", "", "KERNEL=gone: open gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Kernel: tt.kernel, Modules: tt.modules}
			err := o.findModules()
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("findModules() = %v, want %q in it", err, tt.err)
				}
				return
			}
			in := func(name string) string {
				if name == "" {
					return ""
				}
				return filepath.Join(dir, name)
			}
			if err != nil || o.Modules != in(tt.want) || o.firmware != in(tt.firmware) {
				t.Errorf("findModules() = %v: modules %q, firmware %q, want %q, %q", err, o.Modules, o.firmware, in(tt.want), in(tt.firmware))
			}
		})
	}
}
