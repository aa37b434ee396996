package smbios

import (
	"slices"
	"testing"

	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestOnlySoundTablesAreRead(t *testing.T) {
	for in, want := range map[string][]string{
		"":                              nil,
		"\x0b":                          nil,
		"\x0b\xff\x00\x00\x01a\x00\x00": nil,
		"\x01\x05\x00\x00\x01a\x00\x00": nil,
		"\x0b\x05\x00\x00\x02a\x00b\x00\x00c\x00": {"a", "b"},
		"\x0b\x05\x00\x00\x01never ends":          {"never ends"},
	} {
		if got := oemStrings([]byte(in)); !slices.Equal(got, want) {
			t.Errorf("oemStrings(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzOEMStrings(f *testing.F) {
	f.Add([]byte("\x0b\x05\x00\x00\x01io.systemd.credential:a=b\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range oemStrings(b) {
			fromString(s)
		}
	})
}
