package datasources

import (
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig/network"
)

// A Document is an Instance as `ros datasource fetch --output json` prints it.
// It has no secrets. Fields are only ever added to version 1.
type Document struct {
	Version      int      `json:"version"`
	Datasource   string   `json:"datasource"`
	Subplatform  string   `json:"subplatform,omitempty"`
	InstanceID   string   `json:"instance_id,omitempty"`
	Hostname     string   `json:"hostname,omitempty"`
	PublicKeys   []string `json:"public_ssh_keys,omitempty"`
	Region       string   `json:"region,omitempty"`
	Zone         string   `json:"availability_zone,omitempty"`
	InstanceType string   `json:"instance_type,omitempty"`
	PublicIPv4   string   `json:"public_ipv4,omitempty"`
	PrivateIPv4  string   `json:"private_ipv4,omitempty"`
	PublicIPv6   string   `json:"public_ipv6,omitempty"`
	PrivateIPv6  string   `json:"private_ipv6,omitempty"`
	// Network is network-config version 2.
	Network map[string]any `json:"network,omitempty"`
	// User-data and vendor-data are text, or, where they are no text, base64 in
	// the field below.
	UserData          string `json:"user_data,omitempty"`
	UserDataBase64    string `json:"user_data_base64,omitempty"`
	VendorData        string `json:"vendor_data,omitempty"`
	VendorDataBase64  string `json:"vendor_data_base64,omitempty"`
	VendorData2       string `json:"vendor_data2,omitempty"`
	VendorData2Base64 string `json:"vendor_data2_base64,omitempty"`
	User              string `json:"user,omitempty"`
	// PasswordSet: the datasource gave a password, which is not shown.
	PasswordSet bool `json:"password_set,omitempty"`
	// RandomSeed is the size of the random seed, in bytes.
	RandomSeed int `json:"random_seed_bytes,omitempty"`
	// Files are the sizes of files to write, in bytes, by path.
	Files map[string]int `json:"files,omitempty"`
	// Metadata is the datasource's own document; values of keys that look like
	// secrets are left out.
	Metadata map[string]any `json:"metadata,omitempty"`
	// Problems are parts that were left out.
	Problems []string `json:"problems,omitempty"`
}

// Document is in without its secrets, for people and scripts.
func (in *Instance) Document() (Document, error) {
	d := Document{
		Version: 1, Datasource: in.Datasource, Subplatform: in.Subplatform, InstanceID: in.ID, Hostname: in.Hostname,
		PublicKeys: in.PublicKeys, Region: in.Region, Zone: in.Zone, InstanceType: in.InstanceType,
		PublicIPv4: in.PublicIPv4, PrivateIPv4: in.PrivateIPv4, PublicIPv6: in.PublicIPv6, PrivateIPv6: in.PrivateIPv6,
		User: in.User, Problems: in.Problems, PasswordSet: in.Password != "", RandomSeed: len(in.RandomSeed),
	}
	d.UserData, d.UserDataBase64 = textOrBase64(in.UserData)
	d.VendorData, d.VendorDataBase64 = textOrBase64(in.VendorData)
	d.VendorData2, d.VendorData2Base64 = textOrBase64(in.VendorData2)
	for path, content := range in.Files {
		if d.Files == nil {
			d.Files = map[string]int{}
		}
		d.Files[path] = len(content)
	}
	if m, ok := withoutSecrets(in.Metadata).(map[string]any); ok && len(m) > 0 {
		d.Metadata = m
	}
	if in.Network != nil {
		var doc struct {
			Network map[string]any `yaml:"network"`
		}
		if err := yaml.Unmarshal(network.ToV2(in.Network), &doc); err != nil {
			return d, fmt.Errorf("write network as version 2: %w", err)
		}
		d.Network = doc.Network
	}
	return d, nil
}

func textOrBase64(b []byte) (text, encoded string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}

// secretWords in a key mean that its value is nobody else's business.
var secretWords = []string{"pass", "secret", "token", "private_key", "private-key", "privatekey", "credential", "auth_key", "random_seed"}

// withoutSecrets copies a document as JSON can spell it.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if secret(k) && e != nil && e != "" {
				out[k] = "(secret)"
				continue
			}
			out[k] = withoutSecrets(e)
		}
		return out
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[fmt.Sprint(k)] = e
		}
		return withoutSecrets(out)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = withoutSecrets(e)
		}
		return out
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	}
	return v
}

func secret(key string) bool {
	key = strings.ToLower(key)
	for _, w := range secretWords {
		if strings.Contains(key, w) {
			return true
		}
	}
	return false
}
