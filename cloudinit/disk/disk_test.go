package disk

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func image(t *testing.T, size int64) (*os.File, Geometry) {
	t.Helper()
	p := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f, Geometry{512, uint64(size) / 512}
}

func TestWriteIsReadBack(t *testing.T) {
	for _, kind := range []string{GPT, MBR} {
		t.Run(kind, func(t *testing.T) {
			d, g := image(t, 64<<20)
			if _, _, err := Read(d, g); !errors.Is(err, ErrNoTable) {
				t.Fatalf("Read(blank) = %v, want ErrNoTable", err)
			}
			want, err := Divide(g, kind, []int{25, 75}, []string{"", ""})
			if err != nil {
				t.Fatal(err)
			}
			if err := Write(d, g, kind, want); err != nil {
				t.Fatal(err)
			}
			gotKind, got, err := Read(d, g)
			if err != nil || gotKind != kind {
				t.Fatalf("Read() = %s, %v, want %s", gotKind, err, kind)
			}
			for i := range got {
				got[i].Type = ""
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGrowTakesTheSpaceBehindOnceOnly(t *testing.T) {
	for _, kind := range []string{GPT, MBR} {
		t.Run(kind, func(t *testing.T) {
			d, g := image(t, 16<<20)
			parts, err := Divide(g, kind, []int{100}, []string{""})
			if err != nil {
				t.Fatal(err)
			}
			if err := Write(d, g, kind, parts); err != nil {
				t.Fatal(err)
			}
			if err := d.Truncate(64 << 20); err != nil {
				t.Fatal(err)
			}
			g.Sectors = 64 << 20 / 512
			p, gained, err := Grow(d, g, 1)
			if err != nil || gained < 47<<20/512 {
				t.Fatalf("Grow() = %v, gained %d sectors, %v", p, gained, err)
			}
			if p.Start+p.Sectors > g.Sectors {
				t.Errorf("partition ends at %d of %d sectors", p.Start+p.Sectors, g.Sectors)
			}
			if _, gained, err = Grow(d, g, 1); gained != 0 || err != nil {
				t.Errorf("second Grow() gained %d, %v, want nothing", gained, err)
			}
		})
	}
}

func TestGrowStopsAtTheNextPartition(t *testing.T) {
	d, g := image(t, 64<<20)
	parts := []Part{{1, 2048, 2048, ""}, {2, 65536, 2048, ""}}
	if err := Write(d, g, GPT, parts); err != nil {
		t.Fatal(err)
	}
	p, _, err := Grow(d, g, 1)
	if err != nil || p.Start+p.Sectors != 65536 {
		t.Errorf("Grow() ends at %d, %v, want 65536", p.Start+p.Sectors, err)
	}
}

func TestDivideRefusesMoreThanAll(t *testing.T) {
	if _, err := Divide(Geometry{512, 1 << 20}, GPT, []int{60, 60}, []string{"", ""}); err == nil {
		t.Error("120 percent were accepted")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("EFI PART"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, g := image(t, 1<<20)
		if _, err := d.WriteAt(b, 512); err != nil {
			t.Skip()
		}
		_, _, _ = Read(d, g)
		_, _, _ = Grow(d, g, 1)
	})
}
