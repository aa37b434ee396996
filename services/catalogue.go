package services

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
	"rancheros/paths"
)

// A Catalogue finds service definitions: by name in a repository, by path, or
// by URL. A repository has an index.yml with the lists services, consoles and
// engines, and a definition at <first letter>/<name>.yml.
type Catalogue struct {
	// Roots are folders or URLs, in the order in which they are searched.
	Roots []string
	// Cache keeps what was fetched, so that a boot without a network finds it.
	Cache string
	// Online says whether to fetch.
	Online bool
	// Refresh fetches even what the cache has.
	Refresh bool
	// Retries is how often a fetch is tried again.
	Retries int
}

// NewCatalogue is the catalogue of rancher.repositories; what the image brings
// comes first.
func NewCatalogue(c *cloudconfig.Config) *Catalogue {
	cat := &Catalogue{Roots: []string{paths.ServiceCatalogue}, Cache: paths.Cache, Retries: c.Rancher.HTTPLoadRetries}
	var more []string
	for _, r := range c.Rancher.Repositories {
		if r.URL != "" && r.URL != paths.ServiceCatalogue {
			more = append(more, strings.TrimRight(r.URL, "/"))
		}
	}
	slices.Sort(more)
	cat.Roots = append(cat.Roots, more...)
	return cat
}

// An Index lists what a repository has.
type Index struct {
	Services []string `yaml:"services"`
	Consoles []string `yaml:"consoles"`
	Engines  []string `yaml:"engines"`
}

// Index joins the lists of all repositories. One that cannot be read is named
// in the error; the lists are still good.
func (c *Catalogue) Index(ctx context.Context) (Index, error) {
	var (
		all  Index
		errs []error
	)
	for _, root := range c.Roots {
		text, err := c.read(ctx, root+"/index.yml")
		var one Index
		if err == nil {
			err = yaml.Unmarshal(text, &one)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("catalogue %s: %w", hideUser(root), err))
			continue
		}
		all.Services = join(all.Services, one.Services)
		all.Consoles = join(all.Consoles, one.Consoles)
		all.Engines = join(all.Engines, one.Engines)
	}
	return all, errors.Join(errs...)
}

func join(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// ErrUnknown is returned for a name that no repository has.
var ErrUnknown = errors.New("no repository has a service of that name; see `ros service list --all`")

// Definition returns the services that name stands for: the name of a
// definition, the path of a file below /var/lib/rancher/conf, or a URL.
func (c *Catalogue) Definition(ctx context.Context, name string) (map[string]yaml.Node, error) {
	text, err := c.text(ctx, name)
	if err != nil {
		return nil, err
	}
	node, err := FileDefs(text)
	if err != nil {
		return nil, err
	}
	ps, err := pairs(node)
	if err != nil {
		return nil, err
	}
	defs := map[string]yaml.Node{}
	for _, p := range ps {
		defs[p.key] = *resolve(p.value)
	}
	return defs, nil
}

func (c *Catalogue) text(ctx context.Context, name string) ([]byte, error) {
	switch {
	case isURL(name):
		return c.read(ctx, name)
	case strings.HasPrefix(name, "/"):
		if clean := filepath.Clean(name); !strings.HasPrefix(clean, paths.ConfDir+"/") {
			return nil, fmt.Errorf("a service file must lie below %s, where it is kept", paths.ConfDir)
		}
		return c.read(ctx, name)
	case !validName(name):
		return nil, fmt.Errorf("%q is no name of a service, no path and no URL", name)
	}
	var errs []error
	for _, root := range c.Roots {
		text, err := c.read(ctx, root+"/"+name[:1]+"/"+name+".yml")
		if err == nil {
			return text, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return nil, ErrUnknown
}

// errOffline is returned for what a catalogue that is not online would fetch.
var errOffline = errors.New("not in the cache, and there is no network yet")

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// read reads a file, or what a URL has: from the cache if it is there.
func (c *Catalogue) read(ctx context.Context, where string) ([]byte, error) {
	if !isURL(where) {
		return readBounded(where)
	}
	sum := md5.Sum([]byte(where)) // a name, no secret: RancherOS' cache has it too
	cached := filepath.Join(c.Cache, hex.EncodeToString(sum[:]))
	if !c.Refresh || !c.Online {
		if text, err := readBounded(cached); err == nil {
			return text, nil
		}
	}
	if !c.Online {
		return nil, fmt.Errorf("%s: %w", hideUser(where), errOffline)
	}
	text, err := c.fetch(ctx, where)
	if err != nil {
		return nil, err
	}
	// A cache that cannot be written costs a fetch at the next boot.
	if err := os.MkdirAll(c.Cache, 0o755); err == nil {
		if err := cloudconfig.WriteFile(cached, text, 0o644); err != nil {
			slog.Debug("cache", "err", err)
		}
	}
	return text, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return all(f, path)
}

func all(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("read %s: more than %d bytes", name, maxFile)
	}
	return text, err
}

func (c *Catalogue) fetch(ctx context.Context, where string) ([]byte, error) {
	client := retryablehttp.NewClient()
	client.Logger = nil
	client.RetryMax = c.Retries
	client.RetryWaitMax = 10 * time.Second
	client.HTTPClient.Timeout = 30 * time.Second
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", hideUser(where), err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", hideUser(where), err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("fetch %s: %w", hideUser(where), os.ErrNotExist)
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("fetch %s: the server says %s", hideUser(where), res.Status)
	}
	return all(res.Body, hideUser(where))
}

// hideUser takes credentials out of a URL; names and paths stay as they are.
func hideUser(where string) string {
	if !isURL(where) {
		return where
	}
	u, err := url.Parse(where)
	if err != nil {
		return "(not a URL)"
	}
	return u.Redacted()
}
