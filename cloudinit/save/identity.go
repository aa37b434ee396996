package save

import (
	"crypto/md5" //nolint:gosec // upstream's name of a cached document, not a safeguard
	"encoding/hex"
	"strings"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

// know is what there is to keep of an instance.
func (s *saver) know(p *datasources.Result) *state.Known {
	in, id := *p.Instance, p.Identity
	id.InstanceID = strings.TrimSpace(id.InstanceID)
	if id.InstanceID == "" {
		// Clouds that name no instance still give each machine a UUID.
		id.InstanceID = id.SystemUUID
	}
	if id.InstanceID == "" {
		id.InstanceID = "iid-datasource-" + id.Datasource
	}
	in.ID = id.InstanceID
	return &state.Known{Upstream: p.Kind.Upstream, Instance: in, Identity: id}
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
