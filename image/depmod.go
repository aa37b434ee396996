package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rancheros/image/tree"
)

// binaryIndexes are what modprobe reads: the kernel starts it for a module that
// is used and not there, and so do the engine and users.
var binaryIndexes = []string{"modules.dep.bin", "modules.alias.bin", "modules.symbols.bin", "modules.builtin.bin", "modules.builtin.alias.bin"}

// addBinaryIndexes runs depmod on the modules and adds what it makes to t,
// which has them below lib/modules.
func (b *build) addBinaryIndexes(ctx context.Context, t *tree.Tree) error {
	dir, err := os.MkdirTemp(b.Out, ".depmod-")
	if err != nil {
		return fmt.Errorf("index the modules: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := t.WriteDir(dir); err != nil {
		return fmt.Errorf("index the modules: %w", err)
	}
	if _, err := b.tools.run(ctx, dir, nil, nil, "usr/sbin/depmod", "-b", dir, b.kernel.Release); err != nil {
		return fmt.Errorf("index the modules: %w", err)
	}
	at := filepath.Join("lib/modules", b.kernel.Release)
	for _, name := range binaryIndexes {
		text, err := os.ReadFile(filepath.Join(dir, at, name))
		if os.IsNotExist(err) {
			continue // an older depmod makes fewer
		}
		if err != nil {
			return fmt.Errorf("index the modules: %w", err)
		}
		t.AddFile(filepath.Join(at, name), 0o644, tree.Bytes(text), ours)
	}
	return nil
}
