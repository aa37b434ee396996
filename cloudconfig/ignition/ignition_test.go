package ignition_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/ignition"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/fetch"
)

func parse(t testing.TB, s string, pages map[string]string) (*ignition.Import, error) {
	t.Helper()
	get := func(_ context.Context, r fetch.Request) ([]byte, error) {
		if p, ok := pages[r.URL]; ok {
			return []byte(p), nil
		}
		return nil, &fetch.StatusError{URL: r.URL, Code: 404}
	}
	return ignition.Parse(context.Background(), []byte(s), ignition.Options{Fetch: get})
}

func TestParseAgreesWithIgnitionOnWhatIsValid(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // in the error; empty is valid
	}{
		{`{"ignition":{"version":"3.0.0"}}`, ""},
		{`{"ignition":{"version":"3.5.0"}}`, ""},
		{`{"ignition":{"version":"3.6.0"}}`, ""},
		{`{"ignition":{"version":"2.0.0"}}`, ""},
		{`{"ignition":{"version":"2.4.0"}}`, ""},
		{`{"ignitionVersion": 1}`, "version 1"},
		{`{"ignition":{"version":"3.9.0"}}`, "version 3.9.0"},
		{`{"ignition":{"version":"3.5.0-experimental"}}`, "not supported"},
		{`{"ignition":{"version":"2.5.0-experimental"}}`, "not supported"},
		{`{"ignition":{}}`, "version none"},
		{`{"ignition":{"version":"3.0.0"},}`, "not valid JSON"},
		{`{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"relative"}]}}`, "path"},
		{`{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"/a"},{"path":"/a"}]}}`, "duplicate"},
		{`{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"/a","contents":{"source":"nonsense:x"}}]}}`, "scheme"},
		{`{"ignition":{"version":"2.1.0"},"storage":{"files":[{"filesystem":"root","path":"relative"}]}}`, "path"},
		{`{"ignition":{"version":"2.1.0"},"storage":{"files":"x"}}`, "storage.files"},
	} {
		_, err := parse(t, tt.in, nil)
		if tt.want == "" && err == nil {
			continue
		}
		bad, ok := errors.AsType[*ignition.InvalidError](err)
		if tt.want == "" || !ok || !strings.Contains(bad.Error(), tt.want) {
			t.Errorf("Parse(%s): error %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestParseFollowsMergeAndReplace(t *testing.T) {
	file := func(path, text string) string {
		return `{"ignition":{"version":"3.0.0"},"storage":{"files":[{"path":"` + path + `","contents":{"source":"data:,` + text + `"}}]}}`
	}
	pages := map[string]string{"http://x/a": file("/a", "a"), "http://x/b": file("/own", "theirs"),
		"http://x/loop": `{"ignition":{"version":"3.0.0","config":{"replace":{"source":"http://x/loop"}}}}`}
	im, err := parse(t, `{"ignition":{"version":"3.1.0","config":{"merge":[{"source":"http://x/a"},{"source":"http://x/b"}]}},
		"storage":{"files":[{"path":"/own","mode":384,"contents":{"source":"data:,mine"}}]}}`, pages)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range im.Files {
		got[f.Path] = string(*f.Contents)
	}
	if diff := cmp.Diff(map[string]string{"/a": "a", "/own": "theirs"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := parse(t, pages["http://x/loop"], pages); err == nil {
		t.Error("a circle of configs has no end")
	}
}

func TestContentIsVerified(t *testing.T) {
	sum := sha256.Sum256([]byte("right"))
	config := func(source string) string {
		return `{"ignition":{"version":"3.1.0"},"storage":{"files":[{"path":"/a","contents":{"source":"` + source + `","verification":{"hash":"sha256-` + hex.EncodeToString(sum[:]) + `"}}}]}}`
	}
	if _, err := parse(t, config("data:,right"), nil); err != nil {
		t.Error(err)
	}
	if _, err := parse(t, config("data:,wrong"), nil); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("error = %v, want one about the sha256", err)
	}
}

func TestParseSaysInCloudConfigWhatItCan(t *testing.T) {
	im, err := parse(t, `{"ignition":{"version":"3.3.0"},
		"passwd":{"users":[{"name":"core","passwordHash":"$6$x","sshAuthorizedKeys":["ssh-ed25519 A"],"groups":["docker"],"uid":1200},{"name":"gone","shouldExist":false}],"groups":[{"name":"staff","gid":300}]},
		"storage":{
			"filesystems":[{"device":"/dev/sdb1","format":"ext4","path":"/data","label":"DATA","wipeFilesystem":true,"mountOptions":["noatime"]}],
			"raid":[{"name":"md0","level":"raid1","devices":["/dev/a","/dev/b"]}],
			"directories":[{"path":"/x","mode":448,"user":{"name":"core"}},{"path":"/y","overwrite":true}],
			"links":[{"path":"/l","target":"../x","group":{"id":7}},{"path":"/h","target":"/bin/x","hard":true,"overwrite":true,"user":{"id":1}}],
			"files":[{"path":"/etc/hostname","contents":{"source":"data:,web1%0A"}},{"path":"/log","append":[{"source":"data:,x"}]},{"path":"/bin/x","mode":493,"overwrite":true,"group":{"id":5},"contents":{"source":"data:,%00%01"}}]},
		"systemd":{"units":[
			{"name":"web.service","enabled":true,"contents":"[Service]\nExecStartPre=-/usr/bin/docker rm -f web\nExecStart=/usr/bin/docker run --name web -v /data:/data --net=host -e A=b nginx:1 -g 'daemon off;'\nRestart=always\n"},
			{"name":"plain.service","enabled":true,"contents":"[Service]\nExecStart=/opt/bin/thing\n"}]},
		"kernelArguments":{"shouldExist":["quiet"]}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"hostname": "web1", "groups": []any{"staff"},
		"write_files": []any{map[string]any{"path": "/etc/hostname", "content": "web1\n", "permissions": "0644"}, map[string]any{"path": "/log", "append": true, "content": "x"}, map[string]any{"path": "/bin/x", "encoding": "b64", "content": "AAE=", "permissions": "0755", "owner": "root:5", "overwrite": true}},
		"users":       []any{"default", map[string]any{"name": "core", "hashed_passwd": "$6$x", "lock_passwd": false, "uid": int64(1200), "groups": []any{"docker"}, "ssh_authorized_keys": []any{"ssh-ed25519 A"}}},
		"fs_setup":    []any{map[string]any{"device": "/dev/sdb1", "filesystem": "ext4", "label": "DATA", "overwrite": true}},
		"mounts":      []any{[]any{"/dev/sdb1", "/data", "ext4", "defaults,nofail,noatime", "0", "2"}},
		"rancher": map[string]any{
			"absent":      map[string]any{"users": []any{"gone"}},
			"directories": []any{map[string]any{"path": "/x", "permissions": "0700", "owner": "core:root"}, map[string]any{"path": "/y", "overwrite": true}},
			"links":       []any{map[string]any{"path": "/l", "target": "../x", "owner": "root:7"}, map[string]any{"path": "/h", "target": "/bin/x", "hard": true, "overwrite": true}},
			"services": map[string]any{"web": map[string]any{
				"image": "nginx:1", "command": []any{"-g", "daemon off;"}, "volumes": []any{"/data:/data"}, "network_mode": "host", "environment": []any{"A=b"}, "restart": "always"}}},
	}
	if diff := cmp.Diff(want, document.Value(im.Config)); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	var said []string
	for _, p := range im.Problems {
		said = append(said, p.String())
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"RAID md0", "plain.service", "kernel arguments", "group staff"} {
		if !strings.Contains(all, want) {
			t.Errorf("no problem names %s:\n%s", want, all)
		}
	}
}

func TestUsersAndGroupsWithoutANameAreNamedByTheirPlace(t *testing.T) {
	im, err := parse(t, `{"ignition":{"version":"3.3.0"},"passwd":{"users":[{"name":"a"},{}],"groups":[{}]}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Users) != 1 || len(im.Groups) != 0 || len(im.Problems) != 2 {
		t.Fatalf("users %v, groups %v, problems %v", im.Users, im.Groups, im.Problems)
	}
	for i, at := range []string{"$.passwd.users.1", "$.passwd.groups.0"} {
		if p := im.Problems[i]; p.At != at || !p.Fatal {
			t.Errorf("problem %d = %+v, want one at %s", i, p, at)
		}
	}
}

func TestVersion2IsReadAsVersion3(t *testing.T) {
	im, err := parse(t, `{"ignition":{"version":"2.2.0"},
		"passwd":{"users":[{"name":"a","create":{"uid":1500,"groups":["docker"]}}]},
		"networkd":{"units":[{"name":"00-eth.network","contents":"[Match]\nName=eth0\n"}]},
		"storage":{"filesystems":[{"name":"data","mount":{"device":"/dev/sdb","format":"ext4"},"path":"/data"}],
			"files":[{"filesystem":"data","path":"/x","contents":{"source":"data:,x"},"user":{"id":5}},{"filesystem":"root","path":"/y","append":true,"contents":{"source":"data:,y"}},{"filesystem":"root","path":"/y","append":true,"contents":{"source":"data:,z"}}]}}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range im.Files {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff([]string{"/data/x", "/y", "/etc/systemd/network/00-eth.network"}, paths); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if *im.Files[0].User.ID != 5 || len(im.Files[1].Append) != 2 || *im.Users[0].UID != 1500 {
		t.Errorf("import = %+v", im)
	}
}

func TestUnitsAreFilesLinksAndPresetsForSystemd(t *testing.T) {
	im, err := ignition.Parse(context.Background(), []byte(`{"ignition":{"version":"3.3.0"},"systemd":{"units":[
		{"name":"a.service","enabled":true,"contents":"[Service]\nExecStart=/a\n","dropins":[{"name":"10.conf","contents":"x"},{"name":"20.conf"}]},
		{"name":"m.service","mask":true,"contents":"never read"},{"name":"u.service","mask":false},
		{"name":"t@2.service","enabled":true},{"name":"t@1.service","enabled":true},{"name":"off.service","enabled":false}]}}`), ignition.Options{Systemd: true})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"write_files": []any{
			map[string]any{"path": "/etc/systemd/system/a.service", "permissions": "0644", "content": "[Service]\nExecStart=/a\n"},
			map[string]any{"path": "/etc/systemd/system/a.service.d/10.conf", "permissions": "0644", "content": "x"},
			map[string]any{"path": "/etc/systemd/system-preset/20-ignition.preset", "append": true, "content": "enable a.service\ndisable off.service\nenable t@.service 2 1\n"},
		},
		"rancher": map[string]any{"links": []any{
			map[string]any{"path": "/etc/systemd/system/m.service", "target": "/dev/null", "overwrite": true},
			map[string]any{"path": "/etc/systemd/system/u.service", "target": "/dev/null", "absent": true},
		}},
		"runcmd": []any{
			[]any{"systemctl", "daemon-reload"}, []any{"systemctl", "enable", "--now", "a.service"}, []any{"systemctl", "enable", "--now", "t@2.service"},
			[]any{"systemctl", "enable", "--now", "t@1.service"}, []any{"systemctl", "disable", "off.service"},
		},
	}
	if diff := cmp.Diff(want, document.Value(im.Config)); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/a","mode":511,"contents":{"source":"data:,x","compression":"gzip"}}],"disks":[{"device":"/dev/a","partitions":[{"number":1}]}]}}`,
		`{"ignition":{"version":"2.2.0","config":{"append":[{"source":"data:,%7B%7D"}]}},"storage":{"filesystems":[{"name":"a","mount":{"device":"/d","format":"ext4"}}],"files":[{"filesystem":"a","path":"/x"}]}}`,
		`{"ignition":{"version":"3.0.0"},"passwd":{"users":[{"name":"a"}]},"systemd":{"units":[{"name":"a.service","enabled":true,"contents":"[Service]\nExecStart=docker run -it -p=1 \\\n x $A"}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := ignition.Parse(context.Background(), data, ignition.Options{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		if _, err := document.JSON(im.Config); err != nil {
			t.Fatal(err)
		}
	})
}
