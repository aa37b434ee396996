package preload

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fakeLoader takes archives that do not say "broken".
type fakeLoader struct{ got []string }

func (f *fakeLoader) Load(_ context.Context, r io.Reader) error {
	b, err := io.ReadAll(r)
	if c, ok := r.(io.Closer); ok { // as an HTTP client does with a body
		_ = c.Close()
	}
	if err != nil || string(b) == "broken" {
		return errors.New("no archive")
	}
	f.got = append(f.got, string(b))
	return nil
}

func TestEachArchiveIsLoadedOnce(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.tar": "a", "b.tgz": "broken", "c.tar.gz": "c", ".hidden": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f := &fakeLoader{}
	err := Load(t.Context(), f, dir)
	if err == nil || !strings.Contains(err.Error(), "b.tgz") {
		t.Errorf("Load() error = %v, want one that names b.tgz", err)
	}
	_ = Load(t.Context(), f, dir)
	if diff := cmp.Diff([]string{"a", "c"}, f.got); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
}

func TestNoFolderIsNothingToDo(t *testing.T) {
	if err := Load(t.Context(), &fakeLoader{}, filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
}
