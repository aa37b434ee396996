package command

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// maxLog is how much of a log is packed: its end.
const maxLog = 8 << 20

// collected are the files that say what went wrong and hold no secrets, by
// folder or name.
var collected = []string{
	state.LogFile, state.LogFile + ".1", state.OutputFile,
	state.StatusFile, state.ResultFile, state.InstanceData, state.Record, state.CloudID, state.Disabled,
	paths.RunDir, state.Data,
	"/etc/os-release", "/proc/cmdline", "/proc/version",
}

// private are files in those folders that hold what not everybody may read.
var private = []string{"/instance.json", "/user-data", "/vendor-data", "sensitive"}

// CollectLogs packs them as .tar.gz and says which there were.
func CollectLogs(t *tree.Tree, w io.Writer, withUserData bool) ([]string, error) {
	z := gzip.NewWriter(w)
	p := packer{tree: t, tar: tar.NewWriter(z), at: time.Now()}
	p.add("version", []byte(programVersion))
	for _, name := range collected {
		p.walk(name)
	}
	if withUserData {
		for _, f := range []string{"user-data.txt", "vendor-data.txt", "vendor-data2.txt", "cloud-config.txt"} {
			p.file(path.Join(state.Instance, f))
		}
	}
	return p.names, errors.Join(p.err, p.tar.Close(), z.Close())
}

// programVersion tells a reader who wrote the files.
const programVersion = "ros\n"

// A packer keeps the first error.
type packer struct {
	tree  *tree.Tree
	tar   *tar.Writer
	at    time.Time
	names []string
	err   error
}

// walk packs a file, or the files of a folder. What everybody may not read is
// left out, logs apart.
func (p *packer) walk(name string) {
	n, err := p.tree.Stat(name)
	if err != nil {
		return // not every machine has all of them
	}
	if n.Kind != tree.Dir {
		p.file(name)
		return
	}
	names, err := p.tree.List(name)
	p.fail(err)
	for _, f := range names {
		full := path.Join(name, f)
		n, err := p.tree.Stat(full)
		if err != nil || n.Kind != tree.File || n.Mode&0o004 == 0 || secret(full) {
			continue
		}
		p.file(full)
	}
}

func secret(name string) bool {
	for _, part := range private {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func (p *packer) file(name string) {
	b, err := p.tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		b = []byte("could not be read: " + err.Error() + "\n")
	}
	if len(b) > maxLog {
		b = b[len(b)-maxLog:]
	}
	p.add(strings.TrimPrefix(name, "/"), b)
}

func (p *packer) add(name string, b []byte) {
	full := path.Join("cloud-init-logs-"+p.at.UTC().Format(time.DateOnly), name)
	err := p.tar.WriteHeader(&tar.Header{Name: full, Mode: 0o600, Size: int64(len(b)), ModTime: p.at})
	if err == nil {
		_, err = p.tar.Write(b)
	}
	if err != nil {
		p.fail(fmt.Errorf("pack %s: %w", name, err))
		return
	}
	p.names = append(p.names, name)
}

func (p *packer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
