package tree

import (
	"fmt"
	"os"
	"path/filepath"
)

// WriteDir writes the tree below dir, owned by whoever runs us.
func (t *Tree) WriteDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, e := range t.Sorted() {
		if err := writeOne(filepath.Join(dir, e.Path), e); err != nil {
			return fmt.Errorf("unpack %s: %w", e.Path, err)
		}
	}
	return nil
}

func writeOne(name string, e *Entry) error {
	switch e.Type {
	case Dir:
		return os.MkdirAll(name, 0o755)
	case Symlink:
		return os.Symlink(e.Target, name)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(e.Mode&0o777))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := e.Content.WriteTo(f); err != nil {
		return err
	}
	return f.Close()
}
