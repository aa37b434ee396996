package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Artefacts are the results that a finished build leaves in Out.
var Artefacts = []string{"vmlinuz", "initrd", "root.squashfs", "ros.iso", "disk.qcow2", "manifest.json"}

func (o *Options) stampFile() string { return filepath.Join(o.Out, ".stamp") }

func (o *Options) isBuilt(stamp string) bool {
	have, err := os.ReadFile(o.stampFile())
	if err != nil || string(have) != stamp {
		return false
	}
	return !slices.ContainsFunc(Artefacts, func(name string) bool {
		_, err := os.Stat(filepath.Join(o.Out, name))
		return err != nil
	})
}

// stamp is a checksum of all that goes into a build: our programs, the
// templates, ros-image itself and the options.
func (o *Options) stamp() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, o.Version, o.Time.Unix(), o.Kernel, o.Modules, o.Extra, o.Quick, o.Compression)
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	inputs := []string{self, filepath.Join(o.Repo, "templates"), filepath.Join(o.Programs, "ros"), filepath.Join(o.Programs, "init"), filepath.Join(o.Programs, "engine")}
	for _, p := range []string{o.Kernel, o.Modules} {
		if p != "" {
			inputs = append(inputs, p)
		}
	}
	if o.firmware != "" {
		if err := listAll(h, o.firmware); err != nil {
			return "", fmt.Errorf("inputs of the image: %w", err)
		}
	}
	for _, in := range inputs {
		if err := hashAll(h, in); err != nil {
			return "", fmt.Errorf("inputs of the image: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashAll(w io.Writer, root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		fmt.Fprintln(w, name)
		_, err = io.Copy(w, f)
		return err
	})
}

// listAll hashes names, sizes and times of files: a machine's firmware is too much
// to read each time.
func listAll(w io.Writer, root string) error {
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil && !d.IsDir() {
			fmt.Fprintln(w, name, st.Size(), st.ModTime().UnixNano())
		}
		return err
	})
}
