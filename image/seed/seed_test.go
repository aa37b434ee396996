package seed

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"

	"rancheros/image/oci"
	"rancheros/image/tree"
)

var when = time.Unix(1_700_000_000, 0)

func images(t *testing.T) []*oci.Image {
	t.Helper()
	base := tree.New()
	base.AddFile("usr/bin/sh", 0o755, tree.Bytes([]byte("shell")), "")
	top := tree.New()
	top.AddFile("etc/hello", 0o644, tree.Bytes([]byte("hello")), "")
	lower, err := oci.NewLayer(base, when)
	if err != nil {
		t.Fatal(err)
	}
	upper, err := oci.NewLayer(top, when)
	if err != nil {
		t.Fatal(err)
	}
	return []*oci.Image{
		{Name: "x/base:v1", Layers: []*oci.Layer{lower}, Created: when},
		{Name: "x/top:v1", Layers: []*oci.Layer{lower, upper}, Created: when},
	}
}

func read(t *testing.T, s *Seed, name string) string {
	t.Helper()
	e := s.Root.Get(name)
	if e == nil {
		t.Fatalf("the seed has no %s", name)
	}
	if e.Type == tree.Symlink {
		return "-> " + e.Target
	}
	b, err := e.Content.All()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMakeStacksLayersAsMobyDoes(t *testing.T) {
	s, err := Make(images(t))
	if err != nil {
		t.Fatal(err)
	}
	list := images(t)
	low := newLayer(list[1].Layers[0], nil)
	high := newLayer(list[1].Layers[1], []layer{low})
	for name, want := range map[string]string{
		low.db() + "/diff":        "sha256:" + list[0].Layers[0].DiffID,
		low.db() + "/size":        "5",
		low.db() + "/cache-id":    low.cache,
		low.dir() + "/diff":       "-> " + LayersDir + "/" + low.cache,
		low.dir() + "/link":       low.link,
		high.db() + "/parent":     "sha256:" + low.chain,
		high.dir() + "/lower":     "l/" + low.link,
		"overlay2/l/" + high.link: "-> ../" + high.cache + "/diff",
	} {
		if got := read(t, s, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if s.Root.Get(low.dir()+"/lower") != nil {
		t.Error("the lowest layer has a lower one")
	}
	if s.Layers.Get(high.cache+"/etc/hello") == nil || s.Layers.Get(high.cache+"/usr") != nil {
		t.Error("the upper layer holds other files than its own")
	}
	if got := read(t, s, "image/overlay2/repositories.json"); !strings.Contains(got, `"x/top":{"x/top:v1":"sha256:`) {
		t.Errorf("repositories.json = %s", got)
	}
}

func TestMakeIsTheSameTwice(t *testing.T) {
	var out [2]bytes.Buffer
	for i := range out {
		s, err := Make(images(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Root.WriteTar(&out[i], tree.TarOptions{Time: when}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out[0].Bytes(), out[1].Bytes()) {
		t.Error("two seeds of the same images differ")
	}
}

// TestTarSplitGivesTheLayerBack is what `docker save` and `docker push` do.
func TestTarSplitGivesTheLayerBack(t *testing.T) {
	l := images(t)[0].Layers[0]
	packed, _, err := tarSplit(l.Tar)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	files := storage.NewBufferFileGetPutter()
	for r := tar.NewReader(bytes.NewReader(l.Tar)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := files.Put(h.Name, r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := io.ReadAll(asm.NewOutputTarStream(files, storage.NewJSONUnpacker(z)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l.Tar, got); diff != "" {
		t.Errorf("tar (-want +got):\n%s", diff)
	}
}
