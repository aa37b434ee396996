package scaleway

import (
	"net"
	"os"
	"testing"

	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestRequestsComeFromPortsThatOnlyRootHas(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// More at once than tries: ports in use are passed over.
	for range 60 {
		c, err := dialLow(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		port := c.LocalAddr().(*net.TCPAddr).Port
		if os.Geteuid() == 0 && port >= 1024 {
			t.Errorf("port %d, want one below 1024", port)
		}
	}
}
