package save

import (
	"crypto/md5" //nolint:gosec // upstream's name of a cached document, not a safeguard
	"encoding/hex"
	"slices"
	"strings"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

// same says without any network whether this is still the machine that was
// saved. Only positive proof counts, and a drive or file is always read again:
// that costs nothing, and people change them.
func (s *saver) same(k *state.Known) bool {
	i := slices.IndexFunc(s.Kinds, func(d datasources.Kind) bool { return d.Name == k.Identity.Datasource })
	if i < 0 || s.Kinds[i].Needs == datasources.Local || !s.named(s.Kinds[i]) {
		return false
	}
	if f := s.Kinds[i].Same; f != nil {
		return f(s.Host, k.Identity)
	}
	uuid, serial := s.dmi()
	if uuid == "" && serial == "" {
		return false
	}
	return uuid == k.Identity.SystemUUID && serial == k.Identity.Serial
}

// named says whether the config still allows a kind.
func (s *saver) named(k datasources.Kind) bool {
	if len(s.Names) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Names, func(n string) bool {
		n, _, _ = strings.Cut(n, ":")
		return n == "*" || strings.EqualFold(n, k.Name) || strings.EqualFold(n, k.Upstream) || slices.Contains(k.Aliases, n)
	})
}

func (s *saver) dmi() (uuid, serial string) {
	return strings.ToLower(s.Host.DMI("product_uuid")), s.Host.DMI("product_serial")
}

// know is what there is to keep of an instance.
func (s *saver) know(p *picked) *state.Known {
	in := *p.instance
	in.Datasource = p.kind.Name
	id := strings.TrimSpace(in.ID)
	uuid, serial := s.dmi()
	if id == "" {
		// Clouds that name no instance still give each machine a UUID.
		id = uuid
	}
	if id == "" {
		id = "iid-datasource-" + p.kind.Name
	}
	in.ID = id
	return &state.Known{Upstream: p.kind.Upstream, Instance: in, Identity: datasources.Identity{
		Datasource: p.kind.Name, InstanceID: id, SystemUUID: uuid, Serial: serial, Drive: in.Drive}}
}

// urlCache keeps what #include-once fetched in the folder of the instance.
type urlCache struct {
	tree *tree.Tree
	id   string
}

func (c urlCache) path(key string) string {
	sum := md5.Sum([]byte(key))
	return state.InstanceDir(c.id) + "/data/urlcache/" + hex.EncodeToString(sum[:])
}

// Get reads a document that was fetched at an earlier boot.
func (c urlCache) Get(key string) ([]byte, bool) {
	b, err := c.tree.ReadFile(c.path(key))
	return b, err == nil
}

// Put keeps one.
func (c urlCache) Put(key string, data []byte) error {
	_, err := c.tree.WriteFile(c.path(key), data, tree.Perm{Mode: 0o600, Secret: true})
	return err
}
