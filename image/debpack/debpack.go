// Package debpack makes the Debian package that turns `ros` into the cloud-init
// of any Debian or Ubuntu. The same inputs give the same bytes.
//
// deb(5): an ar archive of debian-binary, control.tar.gz and data.tar.gz.
package debpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // the format of md5sums, not a safeguard
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Package is the name of the package.
const Package = "ros-cloud-init"

// names are what the one program is called.
var names = [...]string{"cloud-init", "cloud-init-save", "cloud-init-execute", "cloud-init-per", "cloud-id"}

// Options of Write.
type Options struct {
	// Ros is the path of the static program.
	Ros string
	// Units are the systemd units, in the root of the file system.
	Units fs.FS
	// Version as v0.1.0, Arch as amd64.
	Version, Arch string
	// Time that every file gets.
	Time time.Time
	// Maintainer as Debian writes it.
	Maintainer string
}

// An entry is a file, folder or link of the package.
type entry struct {
	data []byte
	mode int64
	link string
	dir  bool
}

// Write writes the package.
func Write(w io.Writer, o Options) error {
	files, units, err := content(o)
	if err != nil {
		return err
	}
	data, err := archive(files, o.Time)
	if err != nil {
		return err
	}
	control, err := archive(control(o, files, units), o.Time)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "!<arch>\n"); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		data []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar.gz", control}, {"data.tar.gz", data}} {
		if err := member(w, m.name, m.data, o.Time); err != nil {
			return fmt.Errorf("write package: %w", err)
		}
	}
	return nil
}

// member writes one file of an ar archive.
func member(w io.Writer, name string, data []byte, at time.Time) error {
	if _, err := fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, at.Unix(), 0, 0, "100644", len(data)); err != nil {
		return err
	}
	if len(data)%2 == 1 {
		data = append(slices.Clip(data), '\n')
	}
	_, err := w.Write(data)
	return err
}

// content is what the package installs, and the names of the units to enable.
func content(o Options) (files map[string]entry, units []string, err error) {
	ros, err := os.ReadFile(o.Ros)
	if err != nil {
		return nil, nil, fmt.Errorf("read the program: %w; `make programs` builds it", err)
	}
	files = map[string]entry{"usr/bin/ros": {data: ros, mode: 0o755}}
	for _, n := range names {
		files["usr/bin/"+n] = entry{link: "ros"}
	}
	list, err := fs.ReadDir(o.Units, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("read the units: %w", err)
	}
	for _, f := range list {
		b, err := fs.ReadFile(o.Units, f.Name())
		if err != nil {
			return nil, nil, err
		}
		files["usr/lib/systemd/system/"+f.Name()] = entry{data: b, mode: 0o644}
		if bytes.Contains(b, []byte("\n[Install]\n")) {
			units = append(units, f.Name())
		}
	}
	// Where upstream's package has them, and callers look.
	files["etc/cloud/cloud.cfg.d/"] = entry{dir: true, mode: 0o755}
	files["etc/cloud/clean.d/"] = entry{dir: true, mode: 0o755}
	files["usr/share/doc/"+Package+"/copyright"] = entry{data: []byte("ros is licensed under the Apache License, version 2.0;\nsee /usr/share/common-licenses/Apache-2.0.\n"), mode: 0o644}
	return files, units, nil
}

// control is the package's description of itself and its scripts. What is only
// suggested is not installed, but "apt autoremove" leaves it alone too: cloud-init
// may have been the reason that netplan is there.
func control(o Options, files map[string]entry, units []string) map[string]entry {
	size := 0
	var sums strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		size += len(f.data)
		if f.link == "" && !f.dir {
			fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.data), name)
		}
	}
	text := fmt.Sprintf(`Package: %s
Version: %s
Architecture: %s
Maintainer: %s
Installed-Size: %d
Section: admin
Priority: optional
Provides: cloud-init
Conflicts: cloud-init
Replaces: cloud-init
Depends: systemd | systemd-sysv
Recommends: openssh-server, sudo
Suggests: netplan.io, ifupdown, network-manager, systemd-resolved, chrony, gdisk
Description: cloud-init of ros: provision this machine as its cloud says
 Finds the datasource, reads user-data of every kind and applies it: users,
 keys, files, mounts, commands. One static program without an interpreter.
 Takes the place of cloud-init: names of units, commands, files and exit codes
 are the same.
`, Package, strings.TrimPrefix(o.Version, "v"), o.Arch, o.Maintainer, (size+1023)/1024)
	return map[string]entry{
		"control":  {data: []byte(text), mode: 0o644},
		"md5sums":  {data: []byte(sums.String()), mode: 0o644},
		"postinst": {data: script(postinst, units), mode: 0o755},
		"postrm":   {data: script(postrm, units), mode: 0o755},
	}
}

// The scripts of the package, as Debian's own do it: a unit that a person has
// disabled stays so, and what a removed package enabled is forgotten when it is
// purged. What cloud-init keeps of the machine is never purged: it tells
// another cloud-init, which may be installed by then, what has run.
const (
	postinst = `#!/bin/sh
set -e
case "$1" in configure|abort-upgrade|abort-deconfigure|abort-remove)
  for unit in UNITS; do
    deb-systemd-helper unmask "$unit" >/dev/null || true
    if deb-systemd-helper --quiet was-enabled "$unit"; then
      deb-systemd-helper enable "$unit" >/dev/null || true
    else
      deb-systemd-helper update-state "$unit" >/dev/null || true
    fi
  done
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
esac
`
	postrm = `#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
if [ "$1" = purge ] && [ -x /usr/bin/deb-systemd-helper ]; then
  for unit in UNITS; do
    # Those of another cloud-init have the same names.
    [ -e "/usr/lib/systemd/system/$unit" ] || deb-systemd-helper purge "$unit" >/dev/null || true
  done
fi
`
)

func script(text string, units []string) []byte {
	return []byte(strings.ReplaceAll(text, "UNITS", strings.Join(units, " ")))
}

// archive is a tar.gz of the entries, with the folders that they need.
func archive(files map[string]entry, at time.Time) ([]byte, error) {
	all := maps.Clone(files)
	for name := range files {
		for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "."; dir = path.Dir(dir) {
			all[dir+"/"] = entry{dir: true, mode: 0o755}
		}
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e := all[name]
		h := &tar.Header{Name: "./" + name, Mode: e.mode, ModTime: at, Typeflag: tar.TypeReg, Size: int64(len(e.data)), Uname: "root", Gname: "root", Format: tar.FormatGNU}
		switch {
		case e.dir:
			h.Typeflag, h.Size = tar.TypeDir, 0
		case e.link != "":
			h.Typeflag, h.Linkname, h.Mode, h.Size = tar.TypeSymlink, e.link, 0o777, 0
		}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
