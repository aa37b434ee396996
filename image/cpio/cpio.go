// Package cpio writes an initramfs: a cpio archive of the "newc" form.
//
// https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
package cpio

import (
	"bufio"
	"fmt"
	"io"

	"rancheros/image/tree"
)

// Write writes the tree. Every file has the modification time given (seconds
// since 1970), owner and mode from the tree; the same tree gives the same bytes.
func Write(w io.Writer, t *tree.Tree, mtime int64) error {
	c := &writer{w: bufio.NewWriterSize(w, 1<<20), mtime: mtime}
	for _, e := range t.Sorted() {
		if err := c.entry(e); err != nil {
			return fmt.Errorf("cpio %s: %w", e.Path, err)
		}
	}
	c.header("TRAILER!!!", 0, 0, 0, 1, 0)
	if c.err != nil {
		return c.err
	}
	return c.w.Flush()
}

const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

type writer struct {
	w     *bufio.Writer
	n     int64
	ino   uint32
	mtime int64
	err   error
}

func (c *writer) entry(e *tree.Entry) error {
	c.ino++
	switch e.Type {
	case tree.Dir:
		c.header(e.Path, typeDir|e.Mode, e.UID, e.GID, 2, 0)
	case tree.Symlink:
		c.header(e.Path, typeLink|e.Mode, e.UID, e.GID, 1, int64(len(e.Target)))
		c.write([]byte(e.Target))
	case tree.File:
		// The size field has 8 hex digits.
		if e.Content.Size() > 0xffffffff {
			return fmt.Errorf("%d bytes do not fit into a cpio archive", e.Content.Size())
		}
		c.header(e.Path, typeFile|e.Mode, e.UID, e.GID, 1, e.Content.Size())
		n, err := e.Content.WriteTo(c.w)
		c.n += n
		if err != nil {
			return err
		}
	}
	c.pad()
	return c.err
}

func (c *writer) header(name string, mode uint32, uid, gid, nlink int, size int64) {
	ino, mtime := c.ino, c.mtime
	if mode == 0 {
		ino, mtime = 0, 0
	}
	c.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		ino, mode, uid, gid, nlink, mtime, size, 0, 0, 0, 0, len(name)+1, 0, name))
	c.pad()
}

func (c *writer) write(b []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(b)
		c.n += int64(len(b))
	}
}

// pad fills up to a multiple of four bytes.
func (c *writer) pad() {
	c.write([]byte{0, 0, 0}[:(4-c.n%4)%4])
}
