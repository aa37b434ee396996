package tree

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
)

// Content is where the bytes of a file are: in memory, or a stretch of a file
// on disk.
type Content struct {
	data []byte
	path string
	off  int64
	size int64

	once sync.Once
	sum  [sha256.Size]byte
	err  error
}

// Bytes is a Content in memory.
func Bytes(b []byte) *Content { return &Content{data: b, size: int64(len(b))} }

// Stretch is a Content of size bytes at offset off of a file on disk.
func Stretch(path string, off, size int64) *Content {
	return &Content{path: path, off: off, size: size}
}

// OnDisk is the Content of a whole file.
func OnDisk(path string) (*Content, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return Stretch(path, 0, st.Size()), nil
}

// Size in bytes.
func (c *Content) Size() int64 { return c.size }

// WriteTo writes all bytes.
func (c *Content) WriteTo(w io.Writer) (int64, error) {
	if c.path == "" {
		return io.Copy(w, bytes.NewReader(c.data))
	}
	f, err := os.Open(c.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := io.Copy(w, io.NewSectionReader(f, c.off, c.size))
	if err == nil && n != c.size {
		err = fmt.Errorf("read %s: %d bytes at %d, want %d: it was changed during the build", c.path, n, c.off, c.size)
	}
	return n, err
}

// All returns the bytes.
func (c *Content) All() ([]byte, error) {
	if c.path == "" {
		return c.data, nil
	}
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	return b.Bytes(), err
}

// Sum is the SHA-256 of the bytes, computed once.
func (c *Content) Sum() ([sha256.Size]byte, error) {
	c.once.Do(func() {
		h := sha256.New()
		_, c.err = c.WriteTo(h)
		h.Sum(c.sum[:0])
	})
	return c.sum, c.err
}
