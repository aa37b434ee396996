package netconf

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"rancheros/cloudconfig/network"
)

// A Status is what the network service last wrote to paths.NetworkState, and
// what `ros network status --output json` prints. A key may be added in a
// version, never removed or given another meaning.
type Status struct {
	Version int `json:"version"`
	// Ready: every link that boot waits for has been configured or has had its
	// time.
	Ready    bool         `json:"ready"`
	Hostname string       `json:"hostname"`
	DNS      network.DNS  `json:"dns"`
	Links    []StatusLink `json:"links"`
	Problems []string     `json:"problems"`
	Written  time.Time    `json:"written"`
}

// A StatusLink is one link as it is.
type StatusLink struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	MAC     string `json:"mac,omitempty"`
	MTU     int    `json:"mtu,omitempty"`
	Up      bool   `json:"up"`
	Carrier bool   `json:"carrier"`
	Master  string `json:"master,omitempty"`
	// Config is the ID of the config's link; empty: we leave the link alone.
	Config    string          `json:"config,omitempty"`
	Addresses []netip.Prefix  `json:"addresses"`
	Routes    []network.Route `json:"routes"`
	Lease     *StatusLease    `json:"lease,omitempty"`
	// Err says why there is no address.
	Err string `json:"error,omitempty"`
}

// A StatusLease is a lease without what only machines need.
type StatusLease struct {
	Address netip.Prefix `json:"address,omitzero"`
	Server  netip.Addr   `json:"server,omitzero"`
	Got     time.Time    `json:"got"`
	// Ends is zero for a lease without an end.
	Ends time.Time `json:"ends,omitzero"`
	IPv6 []Addr6   `json:"ipv6,omitempty"`
}

// Now is the state of this machine's network, as the kernel has it.
func Now() (*Status, error) {
	have, err := Read()
	if err != nil {
		return nil, err
	}
	return statusOf(have, nil, nil, nil), nil
}

func statusOf(have State, targets []Target, leases map[string]*Lease, records map[string]map[string]LinkRecord) *Status {
	s := &Status{Version: 1, Links: []StatusLink{}, Problems: []string{}, Written: time.Now().UTC()}
	// A machine without a name is no error here.
	s.Hostname, _ = os.Hostname()
	for _, l := range have.Links {
		out := StatusLink{
			Name: l.Name, Kind: l.Kind, MAC: l.MAC, MTU: l.MTU, Up: l.Up, Carrier: l.Carrier, Master: l.Master,
			Addresses: []netip.Prefix{}, Routes: []network.Route{}, Err: whyNot(records[l.Name]),
		}
		for _, a := range l.Addresses {
			out.Addresses = append(out.Addresses, a.Prefix)
		}
		for _, r := range l.Routes {
			out.Routes = append(out.Routes, r.Route)
		}
		if i := slices.IndexFunc(targets, func(t Target) bool { return t.Name == l.Name }); i >= 0 {
			out.Config = targets[i].Config.ID
			if lease := leases[l.Name].asked(targets[i].Config); lease != nil {
				out.Lease = statusLease(lease)
			}
		}
		s.Links = append(s.Links, out)
	}
	return s
}

// whyNot is an error if no method gave the link an address.
func whyNot(records map[string]LinkRecord) string {
	out := ""
	for _, method := range slices.Sorted(maps.Keys(records)) {
		if records[method].Err == "" {
			return ""
		}
		out = records[method].Err
	}
	return out
}

func statusLease(l *Lease) *StatusLease {
	out := &StatusLease{Address: l.Address, Server: l.Server, Got: l.Got}
	if l.Duration > 0 {
		out.Ends = l.Got.Add(l.Duration)
	}
	if l.V6 != nil {
		out.IPv6 = l.V6.Addresses
	}
	return out
}

// ReadStatus reads what the network service wrote.
func ReadStatus(path string) (*Status, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read state of the network service: %w", err)
	}
	var s Status
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("read state of the network service from %s: %w", path, err)
	}
	return &s, nil
}

// write writes the state of the service for `ros network status`.
func (r *run) write() {
	have, err := Read()
	if err != nil {
		r.Log.Error("state not written", "err", err)
		return
	}
	targets, leases := r.m.snapshot()
	s := statusOf(have, targets, leases, r.records)
	s.Ready = r.ready
	s.DNS = DNS(r.m.cfg, targets, leases, r.settings.DefaultDNS)
	r.m.mu.Lock()
	s.Problems = append(s.Problems, r.m.problems...)
	r.m.mu.Unlock()
	for _, p := range r.settings.Problems {
		s.Problems = append(s.Problems, p.String())
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(r.State), 0o755)
	}
	if err == nil {
		err = writeFile(r.State, append(b, '\n'), 0o644)
	}
	if err != nil {
		r.Log.Error("state not written", "err", err)
	}
}
