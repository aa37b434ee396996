package netconf

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/network"
)

// bonded is a machine with a bond of eth0 and eth1 and a VLAN on it, as the kernel
// shows it: both members have the first one's address.
func bonded() State {
	first, second := card("eth0", "52:54:00:00:00:01"), card("eth1", "52:54:00:00:00:01")
	first.PermanentMAC, second.PermanentMAC = "52:54:00:00:00:01", "52:54:00:00:00:02"
	first.Master, second.Master = "bond0", "bond0"
	return State{Links: []Link{lo(), first, second,
		{Name: "bond0", Kind: network.Bond, Up: true, Ours: true, MAC: "52:54:00:00:00:01", Options: []Option{
			{"mode", "active-backup 1"}, {"miimon", "100"}, {"primary", "eth0"}, {"lacp_rate", "slow 0"},
		}},
		{Name: "v7", Kind: network.VLAN, Parent: "bond0", VLANID: 7, Up: true, Ours: true},
	}}
}

// bondConfig is the config of that machine with some parameters changed.
func bondConfig(parameters map[string]string) *network.Config {
	return links(
		network.Link{ID: "a", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:01"}},
		network.Link{ID: "b", Kind: network.Physical, Match: network.Match{MAC: "52:54:00:00:00:02"}},
		network.Link{ID: "bond0", Kind: network.Bond, Members: []string{"a", "b"}, Parameters: parameters},
		network.Link{ID: "v7", Kind: network.VLAN, Parent: "bond0", VLANID: 7},
	)
}

func TestABondIsChangedAsTheKernelAllows(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		parameters map[string]string
	}{
		{"Nothing", "", map[string]string{"mode": "active-backup", "mii-monitor-interval": "100", "primary": "a"}},
		{"ModeAsANumber", "", map[string]string{"mode": "1"}},
		{"WhileUp", "link set bond0 type bond miimon 200", map[string]string{"mode": "1", "mii-monitor-interval": "200"}},
		{"WhileDown", "link set bond0 down\nlink set bond0 type bond lacp_rate fast\nlink set bond0 up", map[string]string{"mode": "1", "lacp-rate": "fast"}},
		{"OnlyAnew", `
link del bond0
link add bond0 type bond
link add link bond0 name v7 type vlan id 7
link set bond0 type bond mode balance-xor
link set eth0 master bond0
link set eth1 master bond0
link set eth0 up
link set eth1 up
link set bond0 up
link set v7 up`, map[string]string{"mode": "balance-xor"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, problems := steps(bondConfig(tt.parameters), bonded(), nil)
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), got); diff != "" || len(problems) > 0 {
				t.Errorf("Plan() (-want +got):\n%s\nproblems: %v", diff, problems)
			}
		})
	}
}

func TestAListOfSysfsIsChangedOneByOne(t *testing.T) {
	got := listChanges([]string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.2", "10.0.0.3"})
	if want := []string{"+10.0.0.3", "-10.0.0.1"}; !slices.Equal(got, want) {
		t.Errorf("listChanges() = %v, want %v", got, want)
	}
}

func TestAGlobPutsEveryCardIntoTheBond(t *testing.T) {
	cfg := links(network.Link{ID: "eth*", Kind: network.Physical}, network.Link{ID: "bond0", Kind: network.Bond, Members: []string{"eth*"}})
	have := State{Links: []Link{lo(), card("eth0", "52:54:00:00:00:01"), card("eth1", "52:54:00:00:00:02")}}
	got, _ := steps(cfg, have, nil)
	for _, want := range []string{"link set eth0 master bond0", "link set eth1 master bond0"} {
		if !strings.Contains(got, want) {
			t.Errorf("Plan() = %s, want %q in it", got, want)
		}
	}
	if m := Describe(cfg, have).Links; !slices.Equal(m[len(m)-1].Members, []string{"eth0", "eth1"}) {
		t.Errorf("Describe() = %+v, want both members", m)
	}
}
