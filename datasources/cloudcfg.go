package datasources

import (
	"io/fs"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// CloudConfig is what /etc/cloud/cloud.cfg and its drop-ins say, merged by name
// as cloud-init does: mappings merge, the last file wins. Files that cannot be
// read say nothing. They are read once.
func (h *Host) CloudConfig() map[string]any {
	h.cloudConfig.Do(func() { h.config = h.readCloudConfig() })
	return h.config
}

func (h *Host) readCloudConfig() map[string]any {
	names := []string{"etc/cloud/cloud.cfg"}
	drop, err := fs.Glob(h.Root, "etc/cloud/cloud.cfg.d/*.cfg")
	if err == nil {
		slices.Sort(drop)
		names = append(names, drop...)
	}
	all := map[string]any{}
	for _, name := range names {
		var doc map[string]any
		if yaml.Unmarshal([]byte(h.Read(name)), &doc) == nil {
			overlay(all, doc)
		}
	}
	return all
}

func overlay(base, top map[string]any) {
	for k, v := range top {
		under, isMap := base[k].(map[string]any)
		if over, ok := v.(map[string]any); ok && isMap {
			overlay(under, over)
			continue
		}
		base[k] = v
	}
}

// DatasourceConfig is the mapping datasource.NAME of CloudConfig, NAME being
// cloud-init's: NoCloud, MAAS.
func (h *Host) DatasourceConfig(name string) map[string]any {
	all, _ := h.CloudConfig()["datasource"].(map[string]any)
	found, _ := all[name].(map[string]any)
	return found
}

// SeedDirs are where a seed of that name may lie, as paths below the root.
func SeedDirs(name string) []string {
	const seeds = "var/lib/cloud/seed/"
	return []string{seeds + name, "writable/system-data/" + seeds + name}
}

// Seed finds the first folder of SeedDirs that has all the files. It is "" if
// there is none.
func (h *Host) Seed(name string, files ...string) string {
	for _, dir := range SeedDirs(name) {
		if !slices.ContainsFunc(files, func(f string) bool { return !h.Exists(dir + "/" + f) }) {
			return dir
		}
	}
	return ""
}

// CmdlineWords are the words of the kernel command line.
func (h *Host) CmdlineWords() []string { return strings.Fields(h.Cmdline()) }
