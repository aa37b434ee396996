package state

import (
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

func open(t *testing.T) (*tree.Tree, string) {
	t.Helper()
	dir := t.TempDir()
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr, dir
}

func TestAnInstanceIDLeadsNowhereElse(t *testing.T) {
	for _, id := range []string{"i-1", "../../etc", "a/b", "..", "", "x\ny", strings.Repeat("x", 5000)} {
		if dir := InstanceDir(id); path.Dir(dir) != Instances || len(path.Base(dir)) > 255 {
			t.Errorf("InstanceDir(%.20q) = %.80s", id, dir)
		}
	}
}

func TestStatusSurvivesTheFile(t *testing.T) {
	tr, _ := open(t)
	s := NewStatus()
	now := time.Unix(1700000000, 500000000)
	if err := s.Begin(tr, InitLocal, now); err != nil {
		t.Fatal(err)
	}
	if err := s.End(tr, InitLocal, now, []string{"e"}, []string{"w"}); err != nil {
		t.Fatal(err)
	}
	got, ok, err := LoadStatus(tr)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
	if got.State() != Running || !got.LastUpdate().Equal(now.UTC()) {
		t.Errorf("state %s at %s", got.State(), got.LastUpdate())
	}
}

func TestSecretsOfAnInstanceAreKeptForRoot(t *testing.T) {
	tr, dir := open(t)
	k := &Known{Upstream: "Test", Identity: datasources.Identity{Datasource: "test", InstanceID: "i-1"}}
	k.Instance.Password, k.Instance.RandomSeed, k.Instance.Files = "p", []byte{1, 2}, map[string][]byte{"/a": []byte("b")}
	if err := k.Save(tr); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.WriteFile(Data+"/instance-id", []byte("i-1\n"), tree.Perm{Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	got, err := Load(tr)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(k, got); diff != "" {
		t.Error(diff)
	}
	if st, err := os.Stat(dir + InstanceDir("i-1") + knownFile); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", st.Mode(), err)
	}
}

func TestAHalfWrittenLineOfTheRecordIsSkipped(t *testing.T) {
	tr, dir := open(t)
	if err := os.MkdirAll(dir+path.Dir(Record), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+Record, []byte("{\"stage\":\"init\",\"name\":\"a\"}\n{\"stage\":\"in"), 0o644); err != nil {
		t.Fatal(err)
	}
	events, err := Events(tr)
	if err != nil || len(events) != 1 || events[0].Name != "a" {
		t.Errorf("Events() = %+v, %v", events, err)
	}
}

func TestOurOSIsKnownInItsContainersToo(t *testing.T) {
	for _, test := range []struct {
		file, text string
		want       bool
	}{
		{"/etc/os-release", "NAME=ros\nID=rancheros\n", true}, {"/usr/lib/os-release", "ID=\"rancheros\"\n", true},
		{"/usr/share/ros/os-config.yml", "", true}, {"/etc/os-release", "ID=debian\n", false}, {"/etc/os-release", "VERSION_ID=rancheros\n", false},
	} {
		tr, _ := open(t)
		if _, err := tr.WriteFile(test.file, []byte(test.text), tree.Perm{Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if got := IsOurs(tr); got != test.want {
			t.Errorf("%s %q: IsOurs() = %v", test.file, test.text, got)
		}
	}
}
