// Package writefiles puts write_files entries that name a container into it,
// before it starts.
package writefiles

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/tree"
)

// For returns what services.Options.Files wants: the files of c for a service
// as an archive, nil when there are none. The console is left out: it writes
// its own.
func For(c *cloudconfig.Config) func(ctx context.Context, service string) (io.Reader, error) {
	return func(ctx context.Context, service string) (io.Reader, error) {
		mine := func(f cloudconfig.File) bool { return f.Container == service }
		if service == "console" || !slices.ContainsFunc(c.WriteFiles, mine) {
			return nil, nil
		}
		dir, err := os.MkdirTemp("", "write_files")
		if err != nil {
			return nil, fmt.Errorf("write_files of %s: %w", service, err)
		}
		defer os.RemoveAll(dir)
		t, err := tree.Open(dir)
		if err != nil {
			return nil, fmt.Errorf("write_files of %s: %w", service, err)
		}
		defer t.Close()
		// What can be written is, what cannot is named.
		werr := execute.WriteFiles(ctx, execute.New(t), c, service)
		archive, err := pack(dir)
		return archive, errors.Join(werr, err)
	}
}

// pack makes an archive of the files below dir. Folders are left out: those
// that the container has keep their mode, the others are made by Docker.
func pack(dir string) (io.Reader, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		h, err := tar.FileInfoHeader(st, "")
		if err != nil {
			return err
		}
		if h.Name, err = filepath.Rel(dir, path); err != nil {
			return err
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			h.Uid, h.Gid = int(sys.Uid), int(sys.Gid)
		}
		h.Uname, h.Gname = "", "" // they are the host's
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	return &b, errors.Join(err, w.Close())
}
