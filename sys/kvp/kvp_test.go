package kvp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRecordsOfThisBootAddUpAndOlderOnesGo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pool")
	if err := os.WriteFile(file, bytes.Repeat([]byte("o"), keyLen+valueLen), 0o644); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-100 * 365 * 24 * time.Hour)
	if err := os.Chtimes(file, long, long); err != nil {
		t.Fatal(err)
	}
	for _, r := range []Record{{"A", "one"}, {"B", strings.Repeat("é", valueLen)}} {
		if err := Append(file, r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 2*(keyLen+valueLen) || b[0] != 'A' || b[keyLen+valueLen] != 'B' {
		t.Fatalf("pool of %d bytes begins with %q, want the two new records", len(b), b[:1])
	}
	if v := bytes.TrimRight(b[len(b)-valueLen:], "\x00"); len(v) > MaxValue || !strings.HasSuffix(string(v), "é") {
		t.Errorf("a long value has %d bytes and ends with %q, want at most %d and whole characters", len(v), v[len(v)-2:], MaxValue)
	}
}

func TestWithoutAPoolNothingIsMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pool")
	if err := Append(file, Record{"A", "one"}); err == nil {
		t.Error("Append() = nil without a pool, want an error")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("Append() made a pool that nobody reads")
	}
}
