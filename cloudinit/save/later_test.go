package save

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
)

// local is the cloud as a drive, which needs no network.
func (c *cloud) local() datasources.Kind {
	k := c.kind()
	k.Needs = datasources.Local
	return k
}

func early(t *testing.T, dir string, k datasources.Kind) *Report {
	t.Helper()
	r, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{k}, Early: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsIncludedWaitsForTheNetwork(t *testing.T) {
	requests := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		_, _ = w.Write([]byte("#cloud-config\nhostname: included\n"))
	}))
	defer s.Close()
	dir := root(t, debian)
	if err := os.MkdirAll(dir+"/usr/sbin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/usr/sbin/netplan", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &cloud{answer: instance("i-1", "#include\n"+s.URL+"\n")}
	c.answer.Network = &network.Config{Links: []network.Link{{ID: "eth7", Kind: network.Physical}}}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()

	if r := early(t, dir, c.local()); r.Outcome != Later || requests != 0 || len(r.Problems) != 0 {
		t.Fatalf("early: %+v, %d requests", r, requests)
	}
	if got := read(t, dir, "/etc/netplan/50-cloud-init.yaml"); !strings.Contains(got, "eth7") {
		t.Errorf("the network that it waits for is not configured: %s", got)
	}
	if !Pending(tr) {
		t.Error("nobody would ask later")
	}
	r, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.local()}})
	if err != nil || r.Outcome != New || Pending(tr) {
		t.Errorf("later: %+v, %v", r, err)
	}
	if got := read(t, dir, state.Instance+"/cloud-config.txt"); !strings.Contains(got, "included") {
		t.Errorf("config is %s", got)
	}
	// At the next boot the same user-data means what it meant.
	before := requests
	if r := early(t, dir, c.local()); r.Outcome != Unchanged || requests != before || Pending(tr) {
		t.Errorf("next boot: %+v, %d requests more", r, requests-before)
	}
}

func TestACapturedImageIsNotTakenForItsOriginal(t *testing.T) {
	dir := root(t, debian)
	run(t, dir, &cloud{answer: instance("i-1", "")})
	if err := os.WriteFile(filepath.Join(dir, "sys/class/dmi/id/product_uuid"), []byte("BB-2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &cloud{answer: instance("i-2", "")}
	r, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.kind()}, Local: true})
	if err != nil || r.Outcome != Later || c.asked != 0 {
		t.Errorf("before the network: %+v, %v", r, err)
	}
	if r := run(t, dir, c); r.Outcome != New || r.InstanceID != "i-2" {
		t.Errorf("with it: %+v", r)
	}
}

func TestWhatAnotherCloudInitHasDoneIsNotDoneAgain(t *testing.T) {
	dir := root(t, debian)
	sem := filepath.Join(dir, state.InstanceDir("i-1"), "sem")
	if err := os.MkdirAll(sem, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config_ssh", "config_set_passwords", "config_users_groups"} {
		if err := os.WriteFile(filepath.Join(sem, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, &cloud{answer: instance("i-1", "")})
	for applier, want := range map[string]bool{"users": true, "passwords": true, "sshd": true, "ssh_host_keys": true, "ssh_keys": true, "fs_setup": false, "disk_setup": false} {
		_, err := os.Stat(filepath.Join(sem, state.Semaphore(applier)))
		if (err == nil) != want {
			t.Errorf("%s has run: %v, want %v", applier, err == nil, want)
		}
	}
}

func TestWithoutADatasourceAnotherLinuxIsLeftAlone(t *testing.T) {
	dir := root(t, debian)
	none := datasources.Kind{Name: "testcloud", Detect: func(*datasources.Host) datasources.Finding { return datasources.Finding{} }}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if r := early(t, dir, none); r.Outcome != None || Pending(tr) {
		t.Errorf("Run() = %+v, pending %v", r, Pending(tr))
	}
	if code, why := state.SwitchedOff(tr); code != "disabled-by-generator" || !strings.Contains(why, "no datasource") {
		t.Errorf("switched off: %q, %q", code, why)
	}
	// A drive that somebody adds for the next try is found.
	if r := early(t, dir, (&cloud{answer: instance("i-1", "")}).local()); r.Outcome != New {
		t.Errorf("with a datasource: %+v", r)
	}
	if code, _ := state.SwitchedOff(tr); code != "" {
		t.Errorf("still %s", code)
	}
}
