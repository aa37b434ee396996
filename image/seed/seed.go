// Package seed writes the data root of System Docker with the system images
// already in it, so that no machine unpacks an image at boot: the first boot
// copies a few small files, and the layers stay in the root image.
//
// The layout is that of moby's overlay2 graph driver and its image, layer and
// reference stores:
//
//	image/overlay2/repositories.json
//	image/overlay2/imagedb/content/sha256/ID                   the image's config
//	image/overlay2/layerdb/sha256/CHAIN/{diff,size,cache-id,parent,tar-split.json.gz}
//	overlay2/CACHE/{diff,link,lower,committed,work}
//	overlay2/l/LINK -> ../CACHE/diff
//
// diff is a directory in moby. Here it is a symlink to the layer's files, which
// lie in LayersDir and are never written to: every layer of an image is a lower
// directory of the overlays made of it.
package seed

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/vbatts/tar-split/tar/asm"
	"github.com/vbatts/tar-split/tar/storage"

	"rancheros/image/oci"
	"rancheros/image/tree"
)

// LayersDir is where the files of the layers are, on the machine.
const LayersDir = "/usr/share/ros/layers"

const origin = "made by ros-image"

// A Seed is the two parts of it.
type Seed struct {
	// Root is the data root.
	Root *tree.Tree
	// Layers holds each layer's files below its cache ID, for LayersDir.
	Layers *tree.Tree
}

// Make writes the images into a new data root. All names are derived from
// contents, so the same images give the same seed.
func Make(images []*oci.Image) (*Seed, error) {
	s := &Seed{Root: tree.New(), Layers: tree.New()}
	for name, mode := range map[string]uint32{
		"image": 0o700, "image/overlay2": 0o700, "image/overlay2/distribution": 0o700,
		"image/overlay2/imagedb": 0o700, "image/overlay2/imagedb/content/sha256": 0o700, "image/overlay2/imagedb/metadata/sha256": 0o700,
		"image/overlay2/layerdb": 0o700, "image/overlay2/layerdb/sha256": 0o755,
		"overlay2": 0o710, "overlay2/l": 0o700,
	} {
		s.Root.AddDir(name, mode, origin)
	}
	repositories := map[string]map[string]string{}
	for _, i := range images {
		if err := s.image(i, repositories); err != nil {
			return nil, fmt.Errorf("seed %s: %w", i.Name, err)
		}
	}
	b, err := json.Marshal(map[string]any{"Repositories": repositories})
	if err != nil {
		return nil, err
	}
	s.file("image/overlay2/repositories.json", 0o600, b)
	return s, nil
}

func (s *Seed) image(i *oci.Image, repositories map[string]map[string]string) error {
	cfg, err := i.Config()
	if err != nil {
		return err
	}
	id, err := i.ID()
	if err != nil {
		return err
	}
	s.file("image/overlay2/imagedb/content/sha256/"+id, 0o600, cfg)
	repository := i.Name[:strings.LastIndex(i.Name, ":")]
	if repositories[repository] == nil {
		repositories[repository] = map[string]string{}
	}
	repositories[repository][i.Name] = "sha256:" + id
	var below []layer
	for n, l := range i.Layers {
		add := newLayer(l, below)
		if s.Root.Get(add.db()) == nil {
			if err := s.layer(l, add, below); err != nil {
				return fmt.Errorf("layer %d: %w", n, err)
			}
		}
		below = append([]layer{add}, below...)
	}
	return nil
}

// layer is the names of one layer on top of others.
type layer struct {
	chain string // chain ID in hex
	cache string // its directory's name below overlay2/
	link  string // the short name that keeps mount options small
}

// newLayer names a layer. The chain ID is defined in the OCI image spec.
func newLayer(l *oci.Layer, below []layer) layer {
	chain := l.DiffID
	if len(below) > 0 {
		chain = hexSum([]byte("sha256:" + below[0].chain + " sha256:" + l.DiffID))
	}
	cache := hexSum([]byte("ros layer " + chain))
	raw, _ := hex.DecodeString(cache) // hexSum's own output
	return layer{chain, cache, base32.StdEncoding.EncodeToString(raw)[:26]}
}

func (l layer) db() string  { return "image/overlay2/layerdb/sha256/" + l.chain }
func (l layer) dir() string { return "overlay2/" + l.cache }

func (s *Seed) layer(l *oci.Layer, names layer, below []layer) error {
	split, size, err := tarSplit(l.Tar)
	if err != nil {
		return err
	}
	db, dir := names.db(), names.dir()
	s.Root.AddDir(db, 0o755, origin)
	s.file(db+"/diff", 0o644, []byte("sha256:"+l.DiffID))
	s.file(db+"/size", 0o644, []byte(strconv.FormatInt(size, 10)))
	s.file(db+"/cache-id", 0o644, []byte(names.cache))
	s.file(db+"/tar-split.json.gz", 0o644, split)
	s.Root.AddDir(dir, 0o710, origin)
	s.Root.AddLink(dir+"/diff", path.Join(LayersDir, names.cache), origin)
	s.file(dir+"/link", 0o644, []byte(names.link))
	// Read-only for ever: the graph driver then mounts diff as a lower as well.
	s.file(dir+"/committed", 0o600, nil)
	s.Root.AddLink("overlay2/l/"+names.link, "../"+names.cache+"/diff", origin)
	if len(below) > 0 {
		s.file(db+"/parent", 0o644, []byte("sha256:"+below[0].chain))
		var lower []string
		for _, b := range below {
			lower = append(lower, "l/"+b.link)
		}
		s.file(dir+"/lower", 0o644, []byte(strings.Join(lower, ":")))
		s.Root.AddDir(dir+"/work", 0o700, origin)
	}
	s.Layers.AddDir(names.cache, 0o755, origin)
	s.Layers.Merge(names.cache, l.Tree)
	return nil
}

func (s *Seed) file(name string, mode uint32, data []byte) {
	s.Root.AddFile(name, mode, tree.Bytes(data), origin)
}

// tarSplit keeps what is needed to make the very same tar again of the
// unpacked files, and counts the bytes of the files.
func tarSplit(stream []byte) (packed []byte, size int64, err error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	c := &counter{Packer: storage.NewJSONPacker(z)}
	r, err := asm.NewInputTarStream(bytes.NewReader(stream), c, nil)
	if err != nil {
		return nil, 0, err
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, 0, fmt.Errorf("split tar: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, 0, err
	}
	return b.Bytes(), c.size, nil
}

// counter sums the sizes of the files that pass, as moby does.
type counter struct {
	storage.Packer
	size int64
}

func (c *counter) AddEntry(e storage.Entry) (int, error) {
	n, err := c.Packer.AddEntry(e)
	if err == nil && e.Type == storage.FileType {
		c.size += e.Size
	}
	return n, err
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
