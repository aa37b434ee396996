package userdocker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWaitForReturnsWhenTheFileAppears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "done")
	go func() {
		time.AfterFunc(100*time.Millisecond, func() { _ = os.WriteFile(path, nil, 0o644) })
	}()
	if err := waitFor(t.Context(), path, 10*time.Second); err != nil {
		t.Error(err)
	}
}

func TestWaitForGivesUpAndSaysWhatIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "done")
	if err := waitFor(t.Context(), path, 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("waitFor() = %v, want an error that names %s", err, path)
	}
}
