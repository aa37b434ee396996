package lxd

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestSocketIsAskedWhereItIs(t *testing.T) {
	// A socket's path must be short.
	dir, err := os.MkdirTemp("", "lxd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.MkdirAll(filepath.Join(dir, "dev/incus"), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "dev/incus/sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	told := make(chan string, 1)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && r.URL.Path == "/1.0" {
			b, err := io.ReadAll(r.Body)
			if err == nil {
				told <- string(b)
			}
			return
		}
		if r.URL.Path == "/1.0/meta-data" {
			io.WriteString(w, "instance-id: x\n")
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	h := &datasources.Host{Dir: dir, Root: os.DirFS(dir)}
	in, err := fetch(t.Context(), datasources.Env{Host: h})
	if err != nil || in.ID != "x" {
		t.Errorf("fetch() = %+v, %v, want instance x", in, err)
	}
	if err := report(t.Context(), datasources.Env{Host: h}, in, nil); err != nil {
		t.Error(err)
	} else if got := <-told; got != `{"state": "Ready"}` {
		t.Errorf("report() says %s", got)
	}
	if detect(h).Match != datasources.Yes {
		t.Error("the socket of Incus is not seen")
	}
}

func TestPortsOfOtherHypervisorsMeanNothing(t *testing.T) {
	h := &datasources.Host{
		Root:  fstest.MapFS{"sys/class/virtio-ports/vport1p1/name": {Data: []byte("com.canonical.lxd\n")}},
		Facts: datasources.Facts{Virt: "none"},
	}
	if f := detect(h); f.Match != datasources.No {
		t.Errorf("detect() = %+v, want no", f)
	}
}
