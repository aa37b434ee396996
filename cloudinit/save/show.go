package save

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sys/unix"

	"rancheros/cloudconfig/userdata"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// redacted is what upstream writes in place of a secret.
const redacted = "redacted for non-root user"

// unknown is what upstream calls a cloud without a name.
const unknown = "unknown"

// sensitive are the keys of instance-data that only root may see.
var sensitive = []string{"combined_cloud_config", "merged_cfg", "merged_system_cfg", "security-credentials", "userdata", "user-data", "user_data", "vendordata", "vendor-data", "ds/vendor_data"}

// show writes what others read of the current instance below /run/cloud-init,
// which is gone after each boot. r is nil when the user-data was not read.
func (s *saver) show(k *state.Known, r *userdata.Result) error {
	var merged any
	if b, err := s.tree.ReadFile(state.InstanceDir(k.Identity.InstanceID) + "/cloud-config.txt"); err == nil {
		_ = yaml.Unmarshal(b, &merged) // what cannot be read is not shown
	}
	full, err := s.instanceData(k, merged)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(full, &doc); err != nil {
		return err
	}
	cloudID := cloudID(k)
	return errors.Join(
		state.WriteJSON(s.tree, state.InstanceDataFull, doc, true),
		state.WriteJSON(s.tree, state.InstanceData, redact(doc, ""), false),
		state.WriteJSON(s.tree, state.CombinedConfig, merged, true),
		s.write(state.InstanceID, []byte(k.Identity.InstanceID+"\n"), public),
		s.write(state.CloudID+"-"+cloudID, []byte(cloudID+"\n"), public),
		s.link(state.CloudID, path.Base(state.CloudID)+"-"+cloudID),
		s.runLinks(),
	)
}

func (s *saver) link(p, target string) error {
	_, err := s.tree.Symlink(p, target, public)
	return err
}

// runLinks makes the folder that others put their things in.
func (s *saver) runLinks() error {
	if _, err := s.tree.MkdirAll(state.Semaphores, tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	_, err := s.tree.MkdirAll(paths.CloudInitRun+"/sem", tree.Perm{Mode: 0o755})
	return err
}

// instanceData is instance-data.json with everything in it. merged is the
// config, nil while it is not known.
func (s *saver) instanceData(k *state.Known, merged any) ([]byte, error) {
	in := k.Instance
	v1 := map[string]any{
		"_beta_keys": []string{"subplatform"}, "availability_zone": orNil(in.Zone), "cloud_id": cloudID(k), "cloud_name": cloudName(k),
		"instance_id": k.Identity.InstanceID, "local_hostname": orNil(in.Hostname), "platform": k.Identity.Datasource,
		"public_ssh_keys": orEmpty(in.PublicKeys), "region": orNil(in.Region), "subplatform": orNil(in.Subplatform),
		"python_version": nil,
	}
	s.systemFacts(v1)
	// Upstream has every key a second time with hyphens.
	for _, key := range []string{"availability_zone", "cloud_name", "instance_id", "local_hostname"} {
		v1[strings.ReplaceAll(key, "_", "-")] = v1[key]
	}
	ds := dsOf(k)
	doc := map[string]any{
		"base64_encoded_keys": []string{}, "sensitive_keys": sensitive, "v1": v1, "ds": ds,
		"userdata": textOf(in.UserData), "vendordata": textOf(in.VendorData),
		"sys_info": map[string]any{"platform": "linux"},
	}
	for key, v := range v1 {
		if _, taken := doc[key]; !taken && key != "_beta_keys" && !strings.Contains(key, "-") {
			doc[key] = v
		}
	}
	if merged != nil {
		doc["merged_cfg"] = merged
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write instance-data: %w", err)
	}
	return b, nil
}

// dsOf is the datasource's own document where upstream has it. A datasource with
// more than meta-data gives it beside the rest.
func dsOf(k *state.Known) map[string]any {
	md := k.Instance.Metadata
	if inner, ok := md["meta-data"].(map[string]any); ok {
		ds := map[string]any{"meta_data": inner}
		for key, v := range md {
			if key != "meta-data" {
				ds[key] = v
			}
		}
		return ds
	}
	if md == nil {
		md = map[string]any{"instance_id": k.Identity.InstanceID, "local_hostname": k.Instance.Hostname}
	}
	return map[string]any{"meta_data": md}
}

// systemFacts are what this machine says of itself.
func (s *saver) systemFacts(v1 map[string]any) {
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		v1["kernel_release"], v1["machine"] = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	}
	v1["system_platform"] = "linux"
	rel := map[string]string{}
	b, err := s.tree.ReadFile("/etc/os-release")
	if err != nil {
		b, _ = s.tree.ReadFile("/usr/lib/os-release")
	}
	for line := range strings.Lines(string(b)) {
		if key, v, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			rel[key] = strings.Trim(v, `"'`)
		}
	}
	v1["distro"], v1["variant"] = rel["ID"], rel["ID"]
	v1["distro_version"], v1["distro_release"] = rel["VERSION_ID"], rel["VERSION_CODENAME"]
}

// redact is the document as everybody may see it.
func redact(v any, at string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, val := range v {
			p := strings.TrimPrefix(at+"/"+key, "/")
			if isSensitive(key, p) && val != nil && val != "" {
				out[key] = redacted
				continue
			}
			out[key] = redact(val, p)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = redact(v[i], at)
		}
		return out
	}
	return v
}

func isSensitive(key, at string) bool {
	if at == "sensitive_keys" {
		return false
	}
	low := strings.ToLower(key)
	for _, s := range sensitive {
		if low == s || at == s {
			return true
		}
	}
	return state.SecretKey(key)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// textOf is raw data as JSON can hold it.
func textOf(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "ci-b64:" + base64.StdEncoding.EncodeToString(b)
}

// cloudName is upstream's name of the cloud. A NoCloud drive says it, or nobody.
func cloudName(k *state.Known) string {
	if k.Identity.Datasource == "nocloud" {
		if name, ok := k.Instance.Metadata["cloud-name"].(string); ok {
			return name
		}
		return unknown
	}
	if name, ok := map[string]string{"ec2": "aws", "akamai": "akamai"}[k.Identity.Datasource]; ok {
		return name
	}
	return k.Identity.Datasource
}

// cloudID tells the parts of a cloud apart that need other tools.
func cloudID(k *state.Known) string {
	name, region := cloudName(k), k.Instance.Region
	if name == unknown {
		return k.Identity.Datasource
	}
	switch {
	case name == "aws" && strings.HasPrefix(region, "cn-"):
		return "aws-china"
	case name == "aws" && strings.HasPrefix(region, "us-gov-"):
		return "aws-gov"
	case name == "azure" && strings.HasPrefix(region, "china"):
		return "azure-china"
	}
	return name
}
