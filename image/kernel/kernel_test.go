package kernel

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rancheros/image/tree"
)

// moduleOf is an object file that says about itself what a module does.
func moduleOf(t *testing.T, info ...string) *tree.Content {
	t.Helper()
	out := filepath.Join(t.TempDir(), "m.ko")
	cc := exec.Command("gcc", "-c", "-x", "c", "-o", out, "-")
	cc.Stdin = strings.NewReader(`const char i[] __attribute__((section(".modinfo"))) = "` + strings.Join(info, `\0`) + `";`)
	if b, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v: %s", err, b)
	}
	c, err := tree.OnDisk(out)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAKernelOfAnyMake has modules built in, and some that did not come with it,
// which ask for firmware.
func TestAKernelOfAnyMake(t *testing.T) {
	files := tree.New()
	files.AddFile("boot/vmlinuz-6.1", 0o644, tree.Bytes(nil), "")
	for name, c := range map[string]*tree.Content{
		"modules.builtin":         tree.Bytes([]byte("kernel/fs/squashfs/squashfs.ko\n")),
		"kernel/net/radio-lib.ko": moduleOf(t, "depends="),
		"kernel/net/card.ko":      moduleOf(t, "depends=", "firmware=old.bin"),
		"updates/dkms/card.ko":    moduleOf(t, "depends=radio-lib", "firmware=new.bin", "firmware=new-*.txt"),
		"kernel/net/other.ko":     moduleOf(t, "depends=", "firmware=other.bin"),
	} {
		files.AddFile("usr/lib/modules/6.1/"+name, 0o644, c, "")
	}
	k, err := FromPackage(files)
	if err != nil {
		t.Fatal(err)
	}
	if lacks, err := k.Lacks([]string{"squashfs", "card", "loop"}); err != nil || !slices.Equal(lacks, []string{"loop"}) {
		t.Errorf("Lacks() = %v, %v, want loop only", lacks, err)
	}
	got, err := k.Tree(t.Context(), Selection{Names: []string{"card"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"updates/dkms/card.ko": true, "kernel/net/radio-lib.ko": true, "kernel/net/card.ko": false, "kernel/net/other.ko": false} {
		if has := got.Get("lib/modules/6.1/"+name) != nil; has != want {
			t.Errorf("%s is in the tree: %v, want %v", name, has, want)
		}
	}
	if f := k.Firmware(got); !slices.Equal(f, []string{"new-*.txt", "new.bin"}) {
		t.Errorf("Firmware() = %v", f)
	}
}
