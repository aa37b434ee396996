package qemu

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// User is what a person hands to the machine.
type User struct {
	// Data is the user-data.
	Data []byte
	// Keys are lines for authorized_keys.
	Keys []string
	// Network is a network-config, which only nocloud hands over; or nothing.
	Network []byte
	// Hostname and ID name the instance.
	Hostname, ID string
}

// Clouds are the datasources that a machine can be started with.
func Clouds() []string { return slices.Sorted(maps.Keys(clouds)) }

// clouds by the name of the datasource.
var clouds = map[string]func(u User) recording{
	"nocloud":      noCloud,
	"configdrive":  configDrive,
	"ec2":          ec2,
	"gce":          gce,
	"openstack":    openStack,
	"digitalocean": digitalOcean,
}

// recording is one machine in a cloud: the drive's files by label, and the files
// of its metadata service as datasources/dstest serves them.
type recording struct {
	label  string
	drive  map[string]string
	smbios []string
	http   map[string]string
}

// Maker makes a disc image with a label out of a folder.
type Maker func(label, dir, out string) error

// NewCloud writes what the datasource needs below dir. Self is the program
// whose `imds DIR` serves a folder on standard input and output.
func NewCloud(name, dir, self string, u User, disc Maker) (Cloud, error) {
	make, ok := clouds[name]
	if !ok {
		return Cloud{}, fmt.Errorf("there is no DATASOURCE=%s: it is one of %s", name, strings.Join(Clouds(), ", "))
	}
	r := make(u)
	c := Cloud{SMBIOS: r.smbios}
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		return Cloud{}, err
	}
	if r.drive != nil {
		tree, img := filepath.Join(dir, name, "drive"), filepath.Join(dir, name, r.label+".iso")
		if err := writeFiles(tree, r.drive); err != nil {
			return Cloud{}, err
		}
		if err := disc(r.label, tree, img); err != nil {
			return Cloud{}, err
		}
		c.Drives = []string{img}
	}
	if r.http != nil {
		folder := filepath.Join(dir, name, "http")
		if err := writeFiles(folder, r.http); err != nil {
			return Cloud{}, err
		}
		c.Metadata = self + " imds " + folder
	}
	return c, nil
}

func writeFiles(dir string, files map[string]string) error {
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func noCloud(u User) recording {
	meta := fmt.Sprintf("instance-id: %s\nlocal-hostname: %s\npublic-keys:\n", u.ID, u.Hostname)
	for _, k := range u.Keys {
		meta += "  - " + k + "\n"
	}
	files := map[string]string{"user-data": string(u.Data), "meta-data": meta}
	if len(u.Network) > 0 {
		files["network-config"] = string(u.Network)
	}
	return recording{label: "cidata", drive: files}
}

// openStackTree is the same on a config drive and at the metadata service.
func openStackTree(u User) map[string]string {
	keys := map[string]string{}
	for i, k := range u.Keys {
		keys[fmt.Sprintf("key%d", i)] = k
	}
	return map[string]string{
		"openstack/latest/meta_data.json": asJSON(map[string]any{
			"uuid": uuidOf(u.ID), "hostname": u.Hostname, "name": u.Hostname, "public_keys": keys,
		}),
		"openstack/latest/user_data": string(u.Data),
	}
}

func configDrive(u User) recording {
	return recording{label: "config-2", drive: openStackTree(u)}
}

func openStack(u User) recording {
	files := openStackTree(u)
	files["openstack/_index"] = "latest"
	files["openstack/latest/_index"] = "meta_data.json\nuser_data"
	return recording{http: files, smbios: []string{"type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova,uuid=" + uuidOf(u.ID)}}
}

func ec2(u User) recording {
	id := "i-" + strings.ReplaceAll(uuidOf(u.ID), "-", "")[:17]
	files := map[string]string{
		"_meta.yaml": `require: {X-aws-ec2-metadata-token: "*"}
paths:
  /latest/api/token:
    method: PUT
    require: {X-aws-ec2-metadata-token-ttl-seconds: "*"}
    header: {X-aws-ec2-metadata-token-ttl-seconds: "21600"}
    body: dG9rZW4=
`,
		"latest/user-data":                                string(u.Data),
		"latest/meta-data/instance-id":                    id,
		"latest/meta-data/hostname":                       u.Hostname,
		"latest/meta-data/local-hostname":                 u.Hostname,
		"latest/meta-data/local-ipv4":                     "169.254.0.15",
		"latest/meta-data/instance-type":                  "t3.micro",
		"latest/meta-data/ami-id":                         "ami-00000000000000000",
		"latest/meta-data/placement/region":               "eu-west-1",
		"latest/meta-data/placement/availability-zone":    "eu-west-1a",
		"latest/dynamic/instance-identity/document":       asJSON(map[string]any{"instanceId": id, "region": "eu-west-1", "version": "2017-09-30"}),
		"latest/meta-data/public-keys/_index":             "0=key",
		"latest/meta-data/public-keys/0/openssh-key":      strings.Join(u.Keys, "\n"),
		"latest/meta-data/network/interfaces/macs/_index": "",
		"latest/meta-data/services/domain":                "amazonaws.com",
		"latest/meta-data/services/partition":             "aws",
		"latest/meta-data/block-device-mapping/ami":       "/dev/xvda",
	}
	return recording{http: files, smbios: []string{
		"type=0,vendor=Amazon EC2,version=1.0",
		"type=1,manufacturer=Amazon EC2,product=t3.micro,serial=ec2" + uuidOf(u.ID)[3:] + ",uuid=ec2" + uuidOf(u.ID)[3:],
	}}
}

func gce(u User) recording {
	var keys []string
	for _, k := range u.Keys {
		keys = append(keys, "rancher:"+k)
	}
	files := map[string]string{"_meta.yaml": "require: {Metadata-Flavor: Google}\nheader: {Metadata-Flavor: Google}\nrecursive: true\n"}
	spread(files, "computeMetadata/v1", map[string]any{
		"instance": map[string]any{
			"id": 4520031799277581759, "name": u.Hostname, "hostname": u.Hostname + ".c.ros.internal",
			"zone": "projects/1/zones/europe-west1-b", "machineType": "projects/1/machineTypes/e2-small", "tags": []string{},
			"attributes":        map[string]any{"user-data": string(u.Data), "ssh-keys": strings.Join(keys, "\n")},
			"networkInterfaces": []any{map[string]any{"ip": "169.254.0.15", "accessConfigs": []any{}}},
		},
		"project": map[string]any{"projectId": "ros", "numericProjectId": 1, "attributes": map[string]any{}},
	})
	return recording{http: files, smbios: []string{"type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-" + strings.ReplaceAll(uuidOf(u.ID), "-", "")}}
}

// spread makes files of a part of Google's document: its parts, and for a folder
// the whole, which clients ask for as recursive=true.
func spread(files map[string]string, name string, part any) {
	dir := name + "/"
	switch part := part.(type) {
	case map[string]any:
		files[dir+"_index?recursive=true"] = asJSON(part)
		for key, v := range part {
			spread(files, dir+dashed(key), v)
		}
	case []any:
		files[dir+"_index?recursive=true"] = asJSON(part)
		for i, v := range part {
			spread(files, dir+strconv.Itoa(i), v)
		}
	case []string:
		files[name] = asJSON(part)
	default:
		files[name] = fmt.Sprint(part)
	}
}

// dashed is a key as it is in paths: machine-type for machineType.
func dashed(key string) string {
	var b strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func digitalOcean(u User) recording {
	doc := asJSON(map[string]any{
		"droplet_id": 2756294, "hostname": u.Hostname, "user_data": string(u.Data), "public_keys": u.Keys, "region": "ams3",
		"interfaces": map[string]any{}, "dns": map[string]any{"nameservers": []string{"169.254.0.3"}},
	})
	return recording{
		http: map[string]string{
			"metadata/v1.json": doc, "metadata/v1/id": "2756294", "metadata/v1/hostname": u.Hostname, "metadata/v1/user-data": string(u.Data),
			"metadata/v1/public-keys": strings.Join(u.Keys, "\n"),
		},
		smbios: []string{"type=1,manufacturer=DigitalOcean,product=Droplet,serial=2756294"},
	}
}

func asJSON(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "" // cannot be: strings and numbers only
	}
	return string(b)
}

// uuidOf derives a UUID from an instance's name.
func uuidOf(id string) string {
	h := sha256.Sum256([]byte(id))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}
