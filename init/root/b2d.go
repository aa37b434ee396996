package root

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"rancheros/paths"
)

// docker-machine's drivers hand the key over at the head of an empty disk: an
// archive, whose first name asks to format the disk that it lies on.
const (
	b2dMagic = "boot2docker, please format-me"
	// b2dBytes is as much of the disk as the original takes for the archive.
	b2dBytes = 8192
)

// b2dDisks are where boot2docker looks.
var b2dDisks = []string{"/dev/sda", "/dev/vda"}

func isB2D(dev string) bool {
	b, err := head(dev, len(b2dMagic))
	return err == nil && string(b) == b2dMagic
}

func head(dev string, n int) ([]byte, error) {
	f, err := os.Open(dev)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	_, err = io.ReadFull(f, b)
	return b, err
}

// formatB2D makes a state disk of the one that asks for it. What was on it is
// there as soon as the file system is: a power cut loses both or none.
func formatB2D(ctx context.Context, dev string) error {
	archive, err := head(dev, b2dBytes)
	if err != nil {
		return fmt.Errorf("read the archive on %s: %w", dev, err)
	}
	dir, err := os.MkdirTemp("", "b2d-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // it becomes the root of the disk
		return err
	}
	config, err := b2dConfig(dev, archive)
	if err != nil {
		return fmt.Errorf("archive on %s: %w", dev, err)
	}
	for _, f := range []struct {
		path    string
		content []byte
	}{
		{paths.ConfigDir + "/machine.yml", config},
		{"/var/lib/boot2docker/userdata.tar", archive},
	} {
		to := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, f.content, 0o600); err != nil {
			return err
		}
	}
	return format(ctx, dev, paths.LabelB2D, "-d", dir)
}

// b2dConfig makes a layer of config of the keys in the archive. One that is cut
// short gives what is whole of it.
func b2dConfig(dev string, archive []byte) ([]byte, error) {
	var keys []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if name := path.Clean("/" + h.Name); name != "/.ssh/authorized_keys" && name != "/.ssh/authorized_keys2" {
			continue
		}
		text, err := io.ReadAll(r)
		for line := range strings.Lines(string(text)) {
			if err != nil && !strings.HasSuffix(line, "\n") {
				break // a part of a key
			}
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				keys = append(keys, line)
			}
		}
	}
	type state struct {
		Dev        string   `yaml:"dev"`
		Autoformat []string `yaml:"autoformat"`
	}
	type rancher struct {
		State state `yaml:"state"`
	}
	text, err := yaml.Marshal(struct {
		Keys    []string `yaml:"ssh_authorized_keys,omitempty"`
		Rancher rancher  `yaml:"rancher"`
	}{keys, rancher{state{"LABEL=" + paths.LabelB2D, []string{dev}}}})
	return append([]byte("#cloud-config\n# Written when this disk was formatted, of what docker-machine had left on it.\n"), text...), err
}
