package save

import (
	"encoding/json"
	"fmt"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// loadStaged reads what stage wrote, before its instance is the current one.
func loadStaged(t *tree.Tree, dir string) (*state.Known, error) {
	b, err := t.ReadFile(dir + "/instance.json")
	if err != nil {
		return nil, err
	}
	k := &state.Known{}
	if err := json.Unmarshal(b, k); err != nil {
		return nil, fmt.Errorf("read %s/instance.json: %w", dir, err)
	}
	k.Instance.Password, k.Instance.RandomSeed, k.Instance.Files = k.Password, k.RandomSeed, k.Files
	return k, nil
}
