package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rancheros/image/tree"
)

// tools are Debian's programs that a build runs: unpacked in the cache and
// started by their own dynamic linker. So a build gives the same result on any
// host, and installs nothing there.
type tools struct{ root string }

func (b *build) unpackTools(context.Context) error {
	h := sha256.New()
	t := tree.New()
	for _, p := range b.lists["tools"] {
		fmt.Fprintln(h, p.ID())
		t.Merge("", b.files[p.Name])
	}
	b.tools = &tools{filepath.Join(b.Cache, "tools-"+hex.EncodeToString(h.Sum(nil)[:8]))}
	if _, err := os.Stat(b.tools.root); err == nil {
		return nil
	}
	tmp := b.tools.root + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	t.Filter(func(e *tree.Entry) bool {
		return tree.Match([]string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc/mke2fs.conf"}, e.Path)
	})
	if err := t.WriteDir(tmp); err != nil {
		return err
	}
	return os.Rename(tmp, b.tools.root)
}

// path is where a file of the tools lies.
func (t *tools) path(name string) string { return filepath.Join(t.root, name) }

// run starts a program, such as "usr/bin/mksquashfs", in dir.
func (t *tools) run(ctx context.Context, dir string, env []string, stdin io.Reader, name string, args ...string) ([]byte, error) {
	lib := t.path("usr/lib/x86_64-linux-gnu")
	ld := []string{"--library-path", lib, "--argv0", filepath.Base(name), t.path(name)}
	cmd := exec.CommandContext(ctx, t.path("usr/lib64/ld-linux-x86-64.so.2"), append(ld, args...)...)
	cmd.Dir, cmd.Stdin = dir, stdin
	// libarchive is loaded by name when mke2fs is running.
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC", "LD_LIBRARY_PATH=" + lib, "MKE2FS_CONFIG=" + t.path("etc/mke2fs.conf")}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(errs.String())
		if len(text) > 600 {
			text = text[len(text)-600:]
		}
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, text)
	}
	return out.Bytes(), nil
}
