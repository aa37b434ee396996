package scaleway

import (
	"context"
	"net"
	"testing"
)

func TestAPortThatIsTakenCostsAnotherTryOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // held open: its port stays taken
		}
	}()
	// To one address and port each local port serves once: after many dials some
	// of those that are drawn are taken.
	used := map[int]bool{}
	for range 120 {
		c, err := dialLow(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		port := c.LocalAddr().(*net.TCPAddr).Port
		if used[port] || port > 1023 {
			t.Fatalf("port %d, want one below 1024 that is free", port)
		}
		used[port] = true
	}
}
