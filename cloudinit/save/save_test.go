package save

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/datasources"
	"rancheros/paths"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG96hZCbprG8x9Ld6PP+CRQfKjVAS1ZhbHeCjZijrrnE somebody"

// cloud is a datasource whose answers a test chooses.
type cloud struct {
	answer *datasources.Instance
	err    error
	asked  int
}

func (c *cloud) kind() datasources.Kind {
	return datasources.Kind{Name: "testcloud", Upstream: "TestCloud", Needs: datasources.Network,
		Detect: func(*datasources.Host) datasources.Finding { return datasources.Finding{Match: datasources.Yes} },
		Fetch: func(context.Context, datasources.Env) (*datasources.Instance, error) {
			c.asked++
			return c.answer, c.err
		}}
}

// root is an empty machine with an identity in its firmware.
func root(t *testing.T, release string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/os-release": release, "sys/class/dmi/id/product_uuid": "AA-1\n", "sys/class/dmi/id/product_serial": "S1\n", "proc/cmdline": "quiet\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	ours   = "ID=rancheros\n"
	debian = "ID=debian\n"
)

func instance(id, userData string) *datasources.Instance {
	return &datasources.Instance{ID: id, Hostname: "from-metadata", PublicKeys: []string{key}, UserData: []byte(userData)}
}

func run(t *testing.T, dir string, c *cloud) *Report {
	t.Helper()
	r, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.kind()}})
	if err != nil {
		t.Fatalf("Run() = %v", err)
	}
	return r
}

func read(t *testing.T, dir, p string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, p))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLayersOfOurOSAreWritten(t *testing.T) {
	dir := root(t, ours)
	c := &cloud{answer: instance("i-1", "#cloud-config\nhostname: chosen # by me\n")}
	if r := run(t, dir, c); r.Outcome != New || r.InstanceID != "i-1" {
		t.Errorf("report = %+v", r)
	}
	if got := read(t, dir, paths.UserDataConfig); got != "#cloud-config\nhostname: chosen # by me\n" {
		t.Errorf("boot.yml = %q, want the user's own text", got)
	}
	if st, _ := os.Stat(dir + paths.UserDataConfig); st.Mode().Perm() != 0o400 {
		t.Errorf("boot.yml has mode %o", st.Mode().Perm())
	}
	cfg, _, err := cloudconfig.Load(dir)
	if err != nil || cfg.Hostname != "chosen" || len(cfg.SSHAuthorizedKeys) != 1 {
		t.Errorf("Load() = %q, %q, %v", cfg.Hostname, cfg.SSHAuthorizedKeys, err)
	}
}

func TestUnchangedMachineAsksNobody(t *testing.T) {
	dir := root(t, debian)
	c := &cloud{answer: instance("i-1", "#cloud-config\n{}\n")}
	run(t, dir, c)
	c.err = errors.New("the network is down")
	r := run(t, dir, c)
	if r.Outcome != Unchanged || c.asked != 1 || r.Requests != 0 {
		t.Errorf("outcome %s, asked %d times, %d requests; want unchanged, once, none", r.Outcome, c.asked, r.Requests)
	}
	// Another machine with the same disk is another instance.
	if err := os.WriteFile(dir+"/sys/class/dmi/id/product_uuid", []byte("BB-2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.err, c.answer = nil, instance("i-2", "")
	if r := run(t, dir, c); r.Outcome != New || r.InstanceID != "i-2" {
		t.Errorf("on another machine: %+v", r)
	}
	if got := strings.TrimSpace(read(t, dir, state.Data+"/previous-instance-id")); got != "i-1" {
		t.Errorf("previous instance = %q", got)
	}
}

func TestAnOutageIsNoNewInstance(t *testing.T) {
	dir := root(t, debian)
	c := &cloud{answer: instance("i-1", "#cloud-config\n{}\n")}
	run(t, dir, c)
	// Without an identity in the firmware it must ask, and nobody answers.
	if err := os.RemoveAll(dir + "/sys/class/dmi"); err != nil {
		t.Fatal(err)
	}
	c.answer, c.err = nil, errors.New("503")
	r := run(t, dir, c)
	if r.Outcome != Kept || r.InstanceID != "i-1" || len(r.Problems) != 1 {
		t.Errorf("report = %+v, want i-1 kept and the outage named", r)
	}
}

func TestBrokenUserDataStillLetsPeopleIn(t *testing.T) {
	for _, text := range []string{"#cloud-config\nhostname: [\n", "#cloud-config\nhostnmae: x\n", "\x00\x01 what is this"} {
		t.Run(text, func(t *testing.T) {
			dir := root(t, ours)
			run(t, dir, &cloud{answer: instance("i-1", text)})
			cfg, _, _ := cloudconfig.Load(dir)
			if len(cfg.SSHAuthorizedKeys) != 1 || cfg.Hostname != "from-metadata" {
				t.Errorf("keys %q, hostname %q; want those of the metadata", cfg.SSHAuthorizedKeys, cfg.Hostname)
			}
		})
	}
}

func TestSecretsOfMetadataAreRootsToRead(t *testing.T) {
	dir := root(t, debian)
	answer := instance("i-1", "")
	answer.Metadata = map[string]any{"admin_pass": "hunter2", "name": "box", "nested": map[string]any{"randomSeed": "hunter3"}, "public_keys": map[string]any{"token": "k"}}
	run(t, dir, &cloud{answer: answer})
	open, full := read(t, dir, state.InstanceData), read(t, dir, state.InstanceDataFull)
	if strings.Contains(open, "hunter") || !strings.Contains(open, `"name": "box"`) {
		t.Errorf("instance-data.json shows everybody\n%s", open)
	}
	if !strings.Contains(full, "hunter2") || !strings.Contains(full, "hunter3") {
		t.Errorf("root cannot see it\n%s", full)
	}
}

func TestConsumersFindWhatUpstreamWrites(t *testing.T) {
	dir := root(t, debian)
	run(t, dir, &cloud{answer: instance("i-1", "#cloud-config\npassword: hunter2\n")})
	var status struct {
		V1 map[string]any `json:"v1"`
	}
	if err := json.Unmarshal([]byte(read(t, dir, state.StatusFile)), &status); err != nil {
		t.Fatal(err)
	}
	if status.V1["datasource"] != "DataSourceTestCloud" || status.V1["modules-final"] == nil {
		t.Errorf("status.json = %v", status.V1)
	}
	open := read(t, dir, state.InstanceData)
	if strings.Contains(open, "hunter2") || !strings.Contains(open, redacted) {
		t.Error("instance-data.json shows secrets to everybody")
	}
	if !strings.Contains(read(t, dir, state.InstanceDataFull), "hunter2") {
		t.Error("root cannot see the user-data")
	}
	if l, _ := os.Readlink(dir + state.Instance); l != "instances/i-1" {
		t.Errorf("instance -> %q", l)
	}
	if got := strings.TrimSpace(read(t, dir, state.CloudID)); got != "testcloud" {
		t.Errorf("cloud-id = %q", got)
	}
}

func TestCloudInitCanBeTurnedOff(t *testing.T) {
	dir := root(t, debian)
	if err := os.WriteFile(dir+"/proc/cmdline", []byte("quiet cloud-init=disabled\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &cloud{answer: instance("i-1", "")}
	if r := run(t, dir, c); r.Outcome != Disabled || c.asked != 0 {
		t.Errorf("outcome %s, asked %d", r.Outcome, c.asked)
	}
}

// view is what a machine goes by after a boot.
func view(t *testing.T, dir string) string {
	t.Helper()
	cfg, _, err := cloudconfig.Load(dir)
	if err != nil {
		t.Fatalf("Load() = %v", err)
	}
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	link, _ := os.Readlink(dir + state.Instance)
	script, _ := os.ReadFile(dir + paths.UserScript)
	return fmt.Sprintf("id %s, link %s, hostname %s, timezone %s, script %q", state.CurrentID(tr), link, cfg.Hostname, cfg.Timezone, script)
}

// stride is how many steps lie between two power cuts.
const stride = 7

const (
	oldData = "#cloud-config\nhostname: old\ntimezone: Old/Zone\n"
	newData = "Content-Type: multipart/mixed; boundary=b\nMIME-Version: 1.0\n\n--b\nContent-Type: text/cloud-config\n\n" +
		"hostname: new\ntimezone: New/Zone\n\n--b\nContent-Type: text/x-shellscript\n\n#!/bin/sh\necho new\n--b--\n"
)

// A power cut at each step of keeping a new instance: when the next boot has
// begun, even without its cloud, the machine goes by the old or the new one.
func TestAPowerCutLeavesOldOrNew(t *testing.T) {
	first := &cloud{answer: instance("i-old", oldData)}
	dir := root(t, ours)
	run(t, dir, first)
	before := view(t, dir)
	second := &cloud{answer: instance("i-new", newData)}
	run2 := func(dir string, hook func(string, string) error) error {
		_, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{second.kind()}, Fresh: true, Hook: hook})
		return err
	}
	steps := 0
	if err := run2(dir, func(string, string) error { steps++; return nil }); err != nil {
		t.Fatal(err)
	}
	after := view(t, dir)
	if before == after || steps < 50 {
		t.Fatalf("nothing to test: %s, %d steps", after, steps)
	}
	seen := map[string]int{}
	// Every step takes half a minute in all; a seventh of them, and another
	// seventh at the next change of the code, find the same.
	for n := steps % stride; n < steps; n += stride {
		dir := root(t, ours)
		run(t, dir, first)
		left := n
		err := run2(dir, func(string, string) error {
			if left == 0 {
				return tree.ErrKilled()
			}
			left--
			return nil
		})
		if err == nil && n < steps-1 {
			t.Fatalf("step %d: the power cut went unnoticed", n)
		}
		// The next boot: the same machine, its cloud is silent.
		down := &cloud{err: errors.New("silent")}
		if _, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{down.kind()}}); err != nil {
			t.Fatalf("step %d: next boot: %v", n, err)
		}
		got := view(t, dir)
		if got != before && got != after {
			t.Fatalf("power cut at step %d of %d left\n%s\nwant\n%s\nor\n%s", n, steps, got, before, after)
		}
		seen[got]++
	}
	if len(seen) != 2 {
		t.Errorf("seen %v, want old and new", seen)
	}
}

func TestAnotherLinuxIsToldOfTheNetwork(t *testing.T) {
	dir := root(t, debian)
	if err := os.MkdirAll(dir+"/usr/sbin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/usr/sbin/netplan", nil, 0o755); err != nil {
		t.Fatal(err)
	}
	in := instance("i-1", "")
	in.Network = &network.Config{Links: []network.Link{{ID: "eth0", Kind: network.Physical, DHCP4: true}}}
	run(t, dir, &cloud{answer: in})
	if got := read(t, dir, "/etc/netplan/50-cloud-init.yaml"); !strings.Contains(got, "eth0") {
		t.Errorf("netplan has %s", got)
	}
}

func TestWithoutANetworkNobodyIsAskedAndNothingIsWrong(t *testing.T) {
	dir := root(t, debian)
	c := &cloud{answer: instance("i-1", "")}
	r, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.kind()}, Local: true})
	if err != nil || r.Outcome != Later || c.asked != 0 || len(r.Problems) != 0 {
		t.Errorf("Run() = %+v, %v, asked %d times", r, err, c.asked)
	}
	if r := run(t, dir, c); r.Outcome != New {
		t.Errorf("later: %+v", r)
	}
	// The next boot knows the machine before the network is up.
	r, err = Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.kind()}, Local: true})
	if err != nil || r.Outcome != Unchanged {
		t.Errorf("next boot: %+v, %v", r, err)
	}
}

func TestTheConfigMayWantTheNetworkAskedForAtEveryBoot(t *testing.T) {
	for when, asks := range map[string]int{"[boot-new-instance]": 1, "[boot-new-instance, boot]": 3, "[boot-legacy]": 3} {
		dir := root(t, debian)
		c := &cloud{answer: instance("i-1", "#cloud-config\nupdates: {network: {when: "+when+"}}\n")}
		run(t, dir, c)
		if r := run(t, dir, c); r.InstanceID != "i-1" || r.Outcome == New {
			t.Errorf("%s: the second boot is %s of %s, want the same instance", when, r.Outcome, r.InstanceID)
		}
		c.err = errors.New("the network is down")
		r := run(t, dir, c)
		if c.asked != asks || r.InstanceID != "i-1" {
			t.Errorf("%s: asked %d times in three boots, then %s of %q; want %d, and what was saved to hold", when, c.asked, r.Outcome, r.InstanceID, asks)
		}
	}
}

func TestACardThatIsPluggedInLaterDoesNotBeginTheBootAnew(t *testing.T) {
	dir := root(t, debian)
	c := &cloud{answer: instance("i-1", "#cloud-config\n{}\n")}
	run(t, dir, c)
	tr, err := tree.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	s, _, err := state.LoadStatus(tr)
	if err != nil {
		t.Fatal(err)
	}
	if s.State() != state.Running {
		t.Fatalf("after save the boot is %s", s.State())
	}
	for _, stage := range state.Stages() {
		if err := s.End(tr, stage, time.Unix(1, 0), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Run(t.Context(), Options{Root: dir, Kinds: []datasources.Kind{c.kind()}, Fresh: true, InRun: true}); err != nil {
		t.Fatal(err)
	}
	if s, _, err = state.LoadStatus(tr); err != nil || s.State() != state.Done || c.asked != 2 {
		t.Errorf("asked %d times, then the boot is %s, %v; want it asked anew and still done", c.asked, s.State(), err)
	}
}
