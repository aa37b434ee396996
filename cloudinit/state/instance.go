package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

// A Known is what cloud-init-save keeps of an instance for cloud-init-execute
// and for the next boot: secrets and all, for root only.
type Known struct {
	Version  int                  `json:"version"`
	Identity datasources.Identity `json:"identity"`
	Instance datasources.Instance `json:"instance"`
	// Upstream is cloud-init's name of the datasource: NoCloud.
	Upstream string `json:"upstream,omitempty"`
	// Password and RandomSeed are what Instance never shows.
	Password   string `json:"password,omitempty"`
	RandomSeed []byte `json:"random_seed,omitempty"`
	// Files are those that the cloud wants written, by path.
	Files map[string][]byte `json:"files,omitempty"`
}

// knownFile is where it lies in the folder of the instance.
const knownFile = "/instance.json"

// Load reads what was kept of the current instance; nil without an error when
// none was saved.
func Load(t *tree.Tree) (*Known, error) {
	id := CurrentID(t)
	if id == "" {
		return nil, nil
	}
	k := &Known{}
	p := InstanceDir(id) + knownFile
	b, err := t.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, k); err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}
	k.Instance.Password, k.Instance.RandomSeed, k.Instance.Files = k.Password, k.RandomSeed, k.Files
	return k, nil
}

// Save keeps k in the folder of its instance.
func (k *Known) Save(t *tree.Tree) error {
	k.Version = 1
	k.Password, k.RandomSeed, k.Files = k.Instance.Password, k.Instance.RandomSeed, k.Instance.Files
	return WriteJSON(t, InstanceDir(k.Identity.InstanceID)+knownFile, k, true)
}

// Datasource is what upstream prints: "DataSourceNoCloud [seed=/dev/vdb]".
func (k *Known) Datasource() string {
	name := k.Upstream
	if name == "" {
		name = k.Instance.Datasource
	}
	if name == "" {
		name = "None"
	}
	if k.Instance.Subplatform == "" {
		return "DataSource" + name
	}
	if _, where, ok := strings.Cut(strings.TrimSuffix(k.Instance.Subplatform, ")"), " ("); ok && name == "NoCloud" {
		return "DataSourceNoCloud [seed=" + where + "]"
	}
	return "DataSource" + name + " [" + k.Instance.Subplatform + "]"
}
