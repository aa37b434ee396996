package execute

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// maxContent is the largest file that write_files may make, unpacked.
const maxContent = 64 << 20

// consoleName is the container that write_files means when it names none.
const consoleName = "console"

// writeFiles writes what the cloud wants written, then the files that are not
// deferred.
func writeFiles(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	var errs []error
	for _, p := range sortedKeys(t.Files) {
		if !path.IsAbs(p) {
			errs = append(errs, fmt.Errorf("file %q of the cloud: the path must begin with a slash", p))
			continue
		}
		there := t.Tree.Exists(p)
		_, err := t.Tree.WriteFile(p, t.Files[p], tree.Perm{Mode: 0o600, Secret: true})
		if err == nil {
			t.ownsFile(p, t.Files[p], there)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, unskipped(t.notDeferred(ctx, c)))
	}
	return t.notDeferred(ctx, c)
}

func (t *Target) notDeferred(ctx context.Context, c *cloudconfig.Config) error {
	return t.files(ctx, c, func(f cloudconfig.File) bool { return !f.Defer })
}

// writeFilesDeferred writes those that are.
func writeFilesDeferred(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	return t.files(ctx, c, func(f cloudconfig.File) bool { return f.Defer })
}

// WriteFiles writes the files that are meant for a container, deferred or not:
// for the start of a service of that name, whose root the target's tree is.
func WriteFiles(ctx context.Context, t *Target, c *cloudconfig.Config, container string) error {
	var errs []error
	for i, f := range c.WriteFiles {
		if f.Container == container {
			errs = append(errs, t.file(ctx, i, f))
		}
	}
	return errors.Join(errs...)
}

func (t *Target) files(ctx context.Context, c *cloudconfig.Config, want func(cloudconfig.File) bool) error {
	var errs []error
	n := 0
	for i, f := range c.WriteFiles {
		// Other containers' files are written when they start.
		if f.Container != "" && f.Container != consoleName || !want(f) {
			continue
		}
		n++
		errs = append(errs, t.file(ctx, i, f))
	}
	if n == 0 {
		return Skip("write_files names none")
	}
	return errors.Join(errs...)
}

func (t *Target) file(ctx context.Context, i int, f cloudconfig.File) error {
	if err := t.writeOne(ctx, f); err != nil {
		return fmt.Errorf("write_files[%d] %s: %w", i, f.Path, err)
	}
	return nil
}

func (t *Target) writeOne(ctx context.Context, f cloudconfig.File) error {
	if !path.IsAbs(f.Path) || strings.ContainsRune(f.Path, 0) || strings.HasSuffix(f.Path, "/") {
		return errors.New("the path must be that of a file and begin with a slash")
	}
	data, err := t.content(ctx, f)
	if err != nil {
		return err
	}
	if f.Overwrite != nil {
		if err := t.makeWay(f.Path, *f.Overwrite); err != nil {
			return err
		}
	}
	perm, err := t.permOf(f)
	if err != nil {
		return err
	}
	if f.Append {
		have, err := t.Tree.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case bytes.Contains(have, data):
			// An earlier boot appended it.
			data = have
		default:
			data = append(have, data...)
		}
	}
	// Folders that the file needs are its owner's.
	if _, err := t.Tree.MkdirAll(path.Dir(f.Path), tree.Perm{Mode: 0o755, UID: perm.UID, GID: perm.GID}); err != nil {
		return err
	}
	there := t.Tree.Exists(f.Path)
	if _, err = t.Tree.WriteFile(f.Path, data, perm); err == nil && !f.Append {
		t.ownsFile(f.Path, data, there)
	}
	return err
}

// makeWay removes what is in the place of a file and is none, or refuses it.
func (t *Target) makeWay(p string, remove bool) error {
	n, err := t.Tree.Lstat(p)
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.Kind == tree.File {
		return nil
	}
	if err != nil {
		return err
	}
	if !remove {
		return inTheWay(n)
	}
	return t.Tree.RemoveAll(p)
}

// permOf is the mode and owner of a file: root's and 0644 if nothing is said.
// A file that is appended to keeps those it has.
func (t *Target) permOf(f cloudconfig.File) (tree.Perm, error) {
	perm := tree.Perm{Mode: 0o644}
	if n, err := t.Tree.Stat(f.Path); err == nil && f.Append {
		perm.Mode, perm.UID, perm.GID = n.Mode, n.UID, n.GID
	}
	if f.Permissions != 0 {
		perm.Mode = uint32(f.Permissions)
	}
	if err := t.owner(&perm, f.Owner); err != nil {
		return perm, err
	}
	perm.Secret = perm.Mode&0o004 == 0
	return perm, nil
}

// content is what a file shall hold: from its source, which falls back to the
// text in the config.
func (t *Target) content(ctx context.Context, f cloudconfig.File) ([]byte, error) {
	if f.Source.URI != "" {
		headers := map[string]string{}
		for k, v := range f.Source.Headers {
			headers[k] = v.Reveal()
		}
		data, err := t.source(ctx, f, headers)
		if err == nil || f.Content == "" {
			return data, err
		}
		t.Warn("%s: %v: its content is taken from the config", f.Path, err)
	}
	data, err := Decode(f.Encoding, []byte(f.Content))
	if errors.Is(err, errEncoding) {
		// utf-8 and the like: upstream takes it as it is, too.
		t.Warn("%s: %v: its content is taken as text", f.Path, err)
		return []byte(f.Content), nil
	}
	return data, err
}

// source fetches, except in a plan, which opens no sockets.
func (t *Target) source(ctx context.Context, f cloudconfig.File, headers map[string]string) ([]byte, error) {
	if t.Tree.Planned() {
		return []byte("(content of " + f.Source.URI + ")\n"), nil
	}
	return t.fetch(ctx, f.Source.URI, headers, maxContent)
}

// errEncoding is that of an encoding that nobody knows.
var errEncoding = errors.New("is none of text/plain, b64, gz, gz+b64")

// Decode undoes an encoding of write_files: "" and text/plain, b64, gz, gz+b64
// and their longer spellings. The result is bounded.
func Decode(encoding string, data []byte) ([]byte, error) {
	packed, armoured := false, false
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "text/plain":
	case "b64", "base64":
		armoured = true
	case "gz", "gzip":
		packed = true
	case "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		packed, armoured = true, true
	default:
		return nil, fmt.Errorf("encoding %q %w", encoding, errEncoding)
	}
	if armoured {
		clean := bytes.Join(bytes.Fields(data), nil)
		out := make([]byte, base64.StdEncoding.DecodedLen(len(clean)))
		n, err := base64.StdEncoding.Decode(out, clean)
		if err != nil {
			return nil, fmt.Errorf("content is no base64: %w", err)
		}
		data = out[:n]
	}
	if !packed {
		return data, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("content is not packed by gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxContent+1))
	if err != nil {
		return nil, fmt.Errorf("unpack content: %w", err)
	}
	if len(out) > maxContent {
		return nil, fmt.Errorf("content is larger than %d bytes unpacked", maxContent)
	}
	return out, nil
}
