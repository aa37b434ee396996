package nocloud

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"rancheros/cloudconfig/network"
	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/eni"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
)

// A seed is what has been collected. Of meta-data the first value of a key
// stays, of the other files the last one is taken.
type seed struct {
	meta                  wire.Doc
	user, vendor, network []byte
	// from says where it came from.
	from []string
	// problems are parts that were left out.
	problems []string
	// drive is the file system UUID of the drive that was read.
	drive string
}

// collect goes through all places in upstream's order.
func (s *seed) collect(ctx context.Context, env datasources.Env) error {
	h := env.Host
	if env.Arg != "" {
		return s.follow(ctx, env, env.Arg)
	}
	for _, name := range []string{"nocloud", "nocloud-net"} {
		if dir := h.Seed(name, userData, metaData); dir != "" {
			if err := s.folder(h, dir); err != nil {
				return err
			}
			break
		}
	}
	if err := s.config(h); err != nil {
		return err
	}
	if len(s.from) == 0 || s.meta.Str("seedfrom") == "" {
		if err := s.drives(ctx, env); err != nil {
			return err
		}
	}
	if from := s.meta.Str("seedfrom"); from != "" {
		return s.follow(ctx, env, from)
	}
	return nil
}

// folder reads a seed folder of the machine.
func (s *seed) folder(h *datasources.Host, dir string) error {
	sub, err := fs.Sub(h.Root, dir)
	if err != nil {
		return err
	}
	return s.add(drive.Folder(sub).Optional, "seed-dir (/"+dir+")")
}

// config reads datasource.NoCloud of /etc/cloud/cloud.cfg.
func (s *seed) config(h *datasources.Host) error {
	c := wire.Doc(h.DatasourceConfig("NoCloud"))
	if from := c.Str("seedfrom"); from != "" && s.meta.Str("seedfrom") == "" {
		s.meta["seedfrom"] = from
	}
	if c[userData] == nil || c[metaData] == nil {
		return nil
	}
	return s.add(func(name string) ([]byte, error) { return wire.Bytes(c[name]), nil }, "config (/etc/cloud/cloud.cfg)")
}

// drives reads the first drive with the label. One is waited for only when
// somebody has said that there is something.
func (s *seed) drives(ctx context.Context, env datasources.Env) error {
	found := drive.Find(env.Host, label(env.Host))
	if len(found) == 0 && len(s.from) == 0 && s.meta.Str("seedfrom") == "" && label(env.Host) != "" {
		ctx, cancel := context.WithTimeout(ctx, awaitDrive)
		defer cancel()
		found = drive.Await(ctx, env.Host, label(env.Host))
	}
	found, problem := drive.Rivals(env.Host, found)
	if problem != "" {
		s.problems = append(s.problems, problem)
	}
	var errs []error
	for _, b := range found {
		err := s.block(env.Host, b)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *seed) block(h *datasources.Host, b datasources.Block) error {
	d, err := drive.Open(h, b)
	if err != nil {
		return err
	}
	defer d.Close()
	if !d.Exists(userData) && !d.Exists(metaData) {
		return fmt.Errorf("drive %s has neither user-data nor meta-data", b.Name)
	}
	s.drive = b.UUID
	return s.add(d.Optional, "config-disk (/dev/"+b.Name+")")
}

// follow reads a seed at a URL, in a folder or on a device.
func (s *seed) follow(ctx context.Context, env datasources.Env, from string) error {
	from = expand(env.Host, from)
	path := strings.TrimPrefix(from, "file://")
	switch {
	case isURL(from):
		return s.url(ctx, env, from)
	case strings.HasPrefix(path, "/dev/"):
		name := strings.TrimPrefix(path, "/dev/")
		for _, b := range env.Host.Blocks {
			if b.Name == name {
				return s.block(env.Host, b)
			}
		}
		return s.block(env.Host, datasources.Block{Name: name})
	case strings.HasPrefix(path, "/"):
		dir := strings.Trim(path, "/")
		if !env.Host.Exists(dir) {
			return fmt.Errorf("seedfrom %s: there is no such folder", from)
		}
		return s.folder(env.Host, dir)
	}
	return fmt.Errorf("seedfrom %q: want http://, https://, file:// or a path that starts with a slash", from)
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// url fetches the files below a URL, all at once.
func (s *seed) url(ctx context.Context, env datasources.Env, from string) error {
	// It may have %s in it, which no parser of URLs takes.
	scheme, rest, _ := strings.Cut(from, "://")
	host, path := imds.HostAndPath(rest)
	if host == "" {
		return fmt.Errorf("seedfrom %q is no URL", from)
	}
	c := imds.Service{Bases: []string{scheme + "://" + host}, AnyRedirect: true, Limit: imds.MaxLimit}.Open(env)
	names := []string{userData, metaData, vendorData, networkConfig}
	content := make([][]byte, len(names))
	g, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		get := c.Optional
		if name == userData || name == metaData {
			get = c.Get
		}
		g.Go(func() (err error) {
			content[i], err = get(ctx, filePath(path, name))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("seedfrom: %w", err)
	}
	return s.add(func(name string) ([]byte, error) {
		for i, n := range names {
			if n == name {
				return content[i], nil
			}
		}
		return nil, nil
	}, imds.Shown(from))
}

// filePath puts a file's name into the path: in the place of %s, else at the
// end, after a slash unless there is one or a query.
func filePath(path, name string) string {
	switch {
	case strings.Contains(path, "%s"):
		return strings.ReplaceAll(path, "%s", name)
	case strings.HasSuffix(path, "/"), strings.Contains(path, "?"):
		return path + name
	}
	return path + "/" + name
}

// add takes over the files that a place has.
func (s *seed) add(read func(string) ([]byte, error), from string) error {
	get := func(name string, into *[]byte) error {
		b, err := read(name)
		if err == nil && b != nil {
			*into = b
		}
		return err
	}
	var meta []byte
	err := errors.Join(get(metaData, &meta), get(networkConfig, &s.network))
	for name, into := range map[string]*[]byte{userData: &s.user, vendorData: &s.vendor} {
		// Too much of it must not cost the keys that let a person in to mend it.
		e := get(name, into)
		if errors.Is(e, drive.ErrTooLarge) {
			s.problems = append(s.problems, e.Error())
			continue
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	doc, err := wire.Parse(meta)
	if err != nil {
		return fmt.Errorf("meta-data of %s: %w", from, err)
	}
	for k, v := range doc {
		if _, ok := s.meta[k]; !ok {
			s.meta[k] = v
		}
	}
	s.from = append(s.from, from)
	return nil
}

// networkOf is network-config, else the file for ifupdown that old seeds have in
// their meta-data.
func (s *seed) networkOf(h *datasources.Host) (*network.Config, error) {
	if text, ok := s.meta["network-interfaces"].(string); ok && len(s.network) == 0 {
		return eni.Parse(h, text)
	}
	return wire.Network(h, s.network)
}
