// Package preload loads image archives that lie on the state disk, so that a
// machine without a registry has its images at the first boot.
package preload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rancheros/paths"
	"rancheros/services"
)

// stamp is added to the name of an archive that has been loaded.
const stamp = ".done"

// Main is `ros preload-images`: it loads what lies for User Docker, or with
// the argument "system" what lies for System Docker.
func Main(ctx context.Context, args []string) int {
	socket, dir := paths.DockerSocket, filepath.Join(paths.Preload, "docker")
	if len(args) == 1 && args[0] == "system" {
		socket, dir = paths.SystemDockerSocket, filepath.Join(paths.Preload, "system-docker")
	} else if len(args) > 0 {
		fmt.Fprintln(os.Stderr, "preload-images: usage: ros preload-images [system]")
		return 2
	}
	todo, err := pending(dir)
	if err == nil && len(todo) > 0 {
		err = loadInto(ctx, socket, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "preload-images:", err)
		return 1
	}
	return 0
}

func loadInto(ctx context.Context, socket, dir string) error {
	e, err := services.Connect(socket)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Ready(ctx, 5*time.Minute); err != nil {
		return err
	}
	return Load(ctx, e, dir)
}

// A Loader is the little of Docker that is needed here.
type Loader interface {
	// Load reads images from an archive, which may be compressed.
	Load(ctx context.Context, archive io.Reader) error
}

// Load loads every archive of dir that has not been loaded since it changed,
// and leaves a stamp beside it. One that is broken is named in the error and
// does not keep back the others.
func Load(ctx context.Context, to Loader, dir string) error {
	todo, err := pending(dir)
	errs := []error{err}
	for _, name := range todo {
		if err := loadOne(ctx, to, name); err != nil {
			errs = append(errs, fmt.Errorf("preload %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func loadOne(ctx context.Context, to Loader, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := to.Load(ctx, io.LimitReader(f, st.Size())); err != nil {
		return err
	}
	if err := os.WriteFile(name+stamp, nil, 0o644); err != nil {
		return err
	}
	// The stamp is as old as what was loaded, whatever the clock says today.
	return os.Chtimes(name+stamp, st.ModTime(), st.ModTime())
}

// pending lists the archives of dir that are to be loaded.
func pending(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("preload: %w", err)
	}
	var out []string
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		if strings.HasSuffix(name, stamp) || strings.HasPrefix(f.Name(), ".") || !f.Type().IsRegular() {
			continue
		}
		st, err := f.Info()
		if err != nil {
			return nil, fmt.Errorf("preload: %w", err)
		}
		if done, err := os.Stat(name + stamp); err == nil && done.ModTime().Equal(st.ModTime()) {
			continue
		}
		out = append(out, name)
	}
	return out, nil
}
