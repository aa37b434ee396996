package vm

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"testing"
)

// A NIC is a network card of a machine beside its first one.
type NIC struct {
	// Wire is the number of the wire that it is plugged into. Cards on the same
	// wire see each other.
	Wire int
	MAC  string
}

// WiresArgs are QEMU's arguments for cards, which the kernel numbers from eth1
// on in this order. Served wires lead to a network of their own, 10.WIRE.0.0/24,
// with a router at .2 and a DHCP server that gives .15; others only join cards.
func WiresArgs(served []int, cards []NIC) []string {
	var args []string
	for _, w := range served {
		args = append(args,
			"-netdev", fmt.Sprintf("user,id=net%d,net=10.%d.0.0/24,ipv6=off,restrict=on", w, w),
			"-netdev", fmt.Sprintf("hubport,id=out%d,hubid=%d,netdev=net%d", w, w, w))
	}
	for i, c := range cards {
		args = append(args,
			"-netdev", fmt.Sprintf("hubport,id=port%d,hubid=%d", i+1, c.Wire),
			// A bond by 802.3ad wants to know how fast its members are.
			"-device", fmt.Sprintf("virtio-net-pci,id=card%d,netdev=port%d,mac=%s,speed=1000,duplex=full,bus=pcie.0", i+1, i+1, c.MAC))
	}
	return args
}

// NewMonitor is the name of a socket for Machine.Monitor.
func NewMonitor(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "qmp")
}

// Monitor sends commands of the QEMU Machine Protocol, one by one. Each must
// succeed.
func Monitor(t testing.TB, socket string, commands ...map[string]any) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatalf("monitor of QEMU: %v", err)
	}
	defer c.Close()
	in, out := json.NewDecoder(c), json.NewEncoder(c)
	var hello any
	if err := in.Decode(&hello); err != nil {
		t.Fatalf("monitor of QEMU: %v", err)
	}
	for _, command := range append([]map[string]any{{"execute": "qmp_capabilities"}}, commands...) {
		if err := out.Encode(command); err != nil {
			t.Fatalf("monitor of QEMU: %v", err)
		}
		for {
			var answer struct {
				Return any
				Error  any
				Event  string
			}
			if err := in.Decode(&answer); err != nil {
				t.Fatalf("monitor of QEMU: %v: %v", command, err)
			}
			if answer.Error != nil {
				t.Fatalf("monitor of QEMU: %v: %v", command, answer.Error)
			}
			if answer.Event == "" {
				break
			}
		}
	}
}

// Execute is a command for Monitor.
func Execute(name string, arguments map[string]any) map[string]any {
	return map[string]any{"execute": name, "arguments": arguments}
}
