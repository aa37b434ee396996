package netconf

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rancheros/cloudconfig/network"
)

// onEth0 is a static config by way of a gateway.
func onEth0(address, via string) *network.Config {
	return links(network.Link{
		ID: "eth0", Kind: network.Physical, Addresses: prefixes(address), Routes: []network.Route{route("0.0.0.0/0", via)},
	})
}

func has(t *testing.T, what ...string) bool {
	t.Helper()
	out, err := exec.Command("ip", what[:len(what)-1]...).CombinedOutput()
	return err == nil && strings.Contains(string(out), what[len(what)-1])
}

func ask(t *testing.T, r *running, req Request) (Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return Ask(ctx, filepath.Join(r.dir, "socket"), req)
}

func TestAConfigThatLosesTheGatewayIsTakenBack(t *testing.T) {
	newWire(t, "eth0", "10.1.0.1/24")
	r := serve(t, Settings{Network: onEth0("10.1.0.5/24", "10.1.0.1"), KeepHostname: true}, "")
	_, err := ask(t, r, Request{Do: DoApply, Config: onEth0("10.9.0.5/24", "10.9.0.1")})
	if err == nil || !strings.Contains(err.Error(), "10.9.0.1 does not answer") {
		t.Errorf("apply: %v, want an error that names the gateway", err)
	}
	if !has(t, "addr", "show", "eth0", "10.1.0.5/24") || has(t, "addr", "show", "eth0", "10.9.0.5/24") || !has(t, "route", "default via 10.1.0.1") {
		t.Errorf("the old config is not back: %s", ip(t, "addr", "show", "eth0"))
	}
}

func TestAConfigIsTakenBackUnlessConfirmed(t *testing.T) {
	newWire(t, "eth0", "10.1.0.1/24")
	r := serve(t, Settings{Network: onEth0("10.1.0.5/24", "10.1.0.1"), KeepHostname: true}, "")
	next := onEth0("10.1.0.6/24", "10.1.0.1")
	a, err := ask(t, r, Request{Do: DoApply, Config: next, Confirm: time.Second})
	if err != nil || a.Until.IsZero() {
		t.Fatalf("apply: %+v, %v", a, err)
	}
	if !has(t, "addr", "show", "eth0", "10.1.0.6/24") {
		t.Error("the new config is not in force")
	}
	await(t, "the old config", func() bool { return has(t, "addr", "show", "eth0", "10.1.0.5/24") })
	if _, err := ask(t, r, Request{Do: DoConfirm}); err == nil {
		t.Error("confirm: no error, though nothing is on trial")
	}
	if _, err := ask(t, r, Request{Do: DoApply, Config: next, Confirm: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(t, r, Request{Do: DoConfirm}); err != nil {
		t.Fatal(err)
	}
	if !has(t, "addr", "show", "eth0", "10.1.0.6/24") || has(t, "addr", "show", "eth0", "10.1.0.5/24") {
		t.Errorf("the confirmed config is not in force: %s", ip(t, "addr", "show", "eth0"))
	}
}

func TestAStaticConfigReplacesTheLeaseAndGivesItBack(t *testing.T) {
	w := newWire(t, "eth0", "10.1.0.1/24")
	w.dnsmasq(t, "--dhcp-range=10.1.0.50,10.1.0.60,1h", "--dhcp-option=option:router,10.1.0.1")
	r := serve(t, Settings{Network: dhcpOn("eth0"), KeepHostname: true}, "")
	leased := leaseOn(r.status(t).Links, "eth0").Address.String()
	if _, err := ask(t, r, Request{Do: DoApply, Config: onEth0("10.1.0.7/24", "10.1.0.1"), Confirm: time.Second}); err != nil {
		t.Fatal(err)
	}
	if has(t, "addr", "show", "eth0", leased) || !has(t, "addr", "show", "eth0", "10.1.0.7/24") {
		t.Errorf("after apply: %s", ip(t, "addr", "show", "eth0"))
	}
	await(t, "the lease", func() bool {
		return has(t, "addr", "show", "eth0", leased) && !has(t, "addr", "show", "eth0", "10.1.0.7/24") && has(t, "route", "default via 10.1.0.1")
	})
}

func TestIPv6GatewaysAreAskedToo(t *testing.T) {
	newWire(t, "eth0", "2001:db8::1/64")
	cfg := links(network.Link{ID: "eth0", Kind: network.Physical, Addresses: prefixes("2001:db8::5/64"), Routes: []network.Route{route("::/0", "2001:db8::1")}})
	r := serve(t, Settings{Network: cfg, KeepHostname: true}, "")
	_ = r
	await(t, "gateway", func() bool { return reachable(t.Context()) == nil })
}
