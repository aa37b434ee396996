package writefiles

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
)

func TestOnlyTheFilesOfTheServiceArePacked(t *testing.T) {
	var c cloudconfig.Config
	if err := yaml.Unmarshal([]byte(`
write_files:
- {path: /etc/a, content: one, container: ntp, permissions: '0600'}
- {path: /opt/b/c, content: dHdv, encoding: b64, container: ntp}
- {path: relative, content: no, container: ntp}
- {path: /etc/d, content: no}
- {path: /etc/e, content: no, container: console}
`), &c); err != nil {
		t.Fatal(err)
	}
	files := For(&c)
	archive, err := files(t.Context(), "ntp")
	if err == nil || !strings.Contains(err.Error(), "write_files[2]") {
		t.Errorf("error = %v, want one that names write_files[2]", err)
	}
	var got []string
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o %s", h.Name, h.Mode, text))
	}
	if diff := cmp.Diff([]string{"etc/a 600 one", "opt/b/c 644 two"}, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, service := range []string{"console", "network"} {
		if archive, err := files(t.Context(), service); archive != nil || err != nil {
			t.Errorf("files of %s = %v, %v; want none", service, archive, err)
		}
	}
}
