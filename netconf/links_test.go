package netconf

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rancheros/cloudconfig/network"
)

// settle applies a config and says what is still to do afterwards: nothing.
func settle(t *testing.T, cfg *network.Config) {
	t.Helper()
	m := newMachine(cfg, testOptions(t))
	if err := m.converge(); err != nil {
		t.Fatal(err)
	}
	have, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	targets, _, problems := Match(cfg, have)
	want, more := Want(cfg, targets, have, nil)
	if left := text(Plan(have, want)); left != "" || len(problems)+len(more) > 0 {
		t.Errorf("still to do after Apply():\n%s\nproblems: %v", left, append(problems, more...))
	}
}

func TestWhatIsAppliedIsReadBack(t *testing.T) {
	newWire(t, "p0", "10.1.0.1/24")
	newWire(t, "p1")
	blackhole := route("192.0.2.0/24", "")
	blackhole.Type = "blackhole"
	table := route("0.0.0.0/0", "10.1.0.1")
	table.Table, table.Metric, table.MTU = 77, 5, 1300
	v6 := route("2001:db8:9::/48", "fe80::1")
	ra := false
	settle(t, &network.Config{
		Links: []network.Link{
			{ID: "p0", Kind: network.Physical, MTU: 1400, AcceptRA: &ra, Addresses: prefixes("10.1.0.5/24", "2001:db8::5/64"),
				Routes: []network.Route{route("0.0.0.0/0", "10.1.0.1"), table, v6, blackhole, route("198.51.100.0/24", "fe80::1")}},
			{ID: "br0", Kind: network.Bridge, Members: []string{"p1"}, Addresses: prefixes("10.7.0.1/24"),
				Parameters: map[string]string{"forward-delay": "4", "stp": "true", "priority": "4096", "ageing-time": "30", "path-cost": "p1=44"}},
		},
		Rules: []network.Rule{{From: prefixes("10.1.0.0/24")[0], Table: 77}, {To: prefixes("2001:db8::/32")[0], Table: 78, Priority: 500}},
	})
	t.Cleanup(func() { exec.Command("ip", "link", "del", "br0").Run() })
	if !has(t, "link", "show", "p1", "master br0") || !has(t, "route", "show", "table", "77", "default via 10.1.0.1") {
		t.Errorf("links: %s", ip(t, "link"))
	}
	// A config without the bridge and the rules takes them away.
	settle(t, links(network.Link{ID: "p0", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24")}, network.Link{ID: "p1", Kind: network.Physical}))
	if has(t, "link", "br0") || has(t, "rule", "lookup 77") || has(t, "route", "show", "table", "77", "default") {
		t.Errorf("left over: %s\n%s", ip(t, "link"), ip(t, "rule"))
	}
}

func TestDevicesSwapTheirNames(t *testing.T) {
	newWire(t, "n0", "10.1.0.1/24")
	newWire(t, "n1", "10.2.0.1/24")
	settle(t, links(network.Link{ID: "n0", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24")}, network.Link{ID: "n1", Kind: network.Physical}))
	mac := func(name string) string {
		b, err := os.ReadFile(filepath.Join(sysNet, name, "address"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	first, second := mac("n0"), mac("n1")
	settle(t, links(
		network.Link{ID: "a", Kind: network.Physical, Name: "n1", Match: network.Match{MAC: first}, Addresses: prefixes("10.1.0.5/24")},
		network.Link{ID: "b", Kind: network.Physical, Name: "n0", Match: network.Match{MAC: second}},
	))
	if mac("n1") != first || mac("n0") != second {
		t.Errorf("n0 is %s, n1 is %s; want them swapped", mac("n0"), mac("n1"))
	}
}

func TestRenameDoesNothingElse(t *testing.T) {
	newWire(t, "q0", "10.1.0.1/24")
	t.Cleanup(func() { exec.Command("ip", "link", "del", "lan8").Run() })
	cfg := links(network.Link{ID: "lan", Kind: network.Physical, Name: "lan8", Match: network.Match{Name: "q0"}, MTU: 1400, Addresses: prefixes("10.1.0.5/24")})
	for range 2 {
		if err := Rename(cfg, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
	}
	if !has(t, "link", "show", "lan8", "mtu 1500") || has(t, "addr", "show", "lan8", "10.1.0.5") {
		t.Errorf("links: %s", ip(t, "addr"))
	}
}

func TestADeviceMatchedByNameStaysMatchedWhenItIsRenamed(t *testing.T) {
	newWire(t, "m0", "10.1.0.1/24")
	t.Cleanup(func() { exec.Command("ip", "link", "del", "lan7").Run() })
	cfg := links(network.Link{ID: "lan", Kind: network.Physical, Name: "lan7", Match: network.Match{Name: "m*"}, Addresses: prefixes("10.1.0.5/24")})
	settle(t, cfg)
	settle(t, cfg)
	if !has(t, "addr", "show", "lan7", "10.1.0.5/24") {
		t.Errorf("links: %s", ip(t, "addr"))
	}
}

func TestAHookThatFailsIsNamed(t *testing.T) {
	err := runHook(t.Context(), "eth9", "echo not for $iface >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "not for eth9") {
		t.Errorf("runHook() = %v", err)
	}
}

func TestCommandsRunOnceInABootAndInOrder(t *testing.T) {
	newWire(t, "eth0", "10.1.0.1/24")
	out := filepath.Join(t.TempDir(), "out")
	say := func(word string) []string { return []string{"echo " + word + " $iface >>" + out} }
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24"), PreUp: say("pre_up"), PostUp: say("post_up")})
	cfg.PreCommands, cfg.PostCommands = say("pre"), say("post")
	o := testOptions(t)
	o.Hooks = true
	if _, err := Up(t.Context(), cfg, o); err != nil {
		t.Fatal(err)
	}
	r := serve(t, Settings{Network: cfg, KeepHostname: true}, o.LeaseDir)
	r.stop()
	b, err := os.ReadFile(out)
	if want := "pre\npre_up eth0\npost_up eth0\npost\n"; err != nil || string(b) != want {
		t.Errorf("commands = %q, want %q", b, want)
	}
}

func TestCommandsThatTakeLongDoNotTakeOfTheNetworksTime(t *testing.T) {
	newWire(t, "eth0", "10.1.0.1/24")
	out := filepath.Join(t.TempDir(), "out")
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("10.1.0.5/24"), PostUp: []string{"echo post_up >>" + out}})
	cfg.DHCPTimeout, cfg.PreCommands, cfg.PostCommands = 1, []string{"sleep 1.5"}, []string{"echo post >>" + out}
	serve(t, Settings{Network: cfg, KeepHostname: true}, "").stop()
	if b, err := os.ReadFile(out); err != nil || string(b) != "post_up\npost\n" {
		t.Errorf("commands = %q, %v, want post_up before post", b, err)
	}
}
