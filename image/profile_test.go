package image

import (
	"slices"
	"strings"
	"testing"
)

func TestExtraProfilesCombine(t *testing.T) {
	p, err := readProfiles("../templates/image", "storage,wifi")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ tree, pkg string }{
		{"host", "lvm2"}, {"host", "wireless-regdb"}, {"os-base", "wpasupplicant"},
		// What stands on an image has what was added to it.
		{"os-console", "wpasupplicant"},
	} {
		if !slices.Contains(p.packages(tt.tree), tt.pkg) {
			t.Errorf("packages(%s) lacks %s: %v", tt.tree, tt.pkg, p.packages(tt.tree))
		}
	}
	if slices.Contains(p.packages("os-base"), "lvm2") || slices.Contains(p.packages("host"), "wpasupplicant") {
		t.Error("an extra is in a tree that it does not name")
	}
	if plain, err := readProfiles("../templates/image", ""); err != nil || slices.Contains(plain.packages("os-base"), "wpasupplicant") {
		t.Errorf("without an extra: %v, %v", plain.packages("os-base"), err)
	}
	if images := p.images(); images[0] != "os-base" {
		t.Errorf("images() = %v, want the base first", images)
	}
}

func TestAnUnknownExtraIsNamed(t *testing.T) {
	for _, extra := range []string{"wlan", "host", "storage,os-base"} {
		if _, err := readProfiles("../templates/image", extra); err == nil || !strings.Contains(err.Error(), "storage, wifi") {
			t.Errorf("readProfiles(%q) = %v, want an error that lists the extras", extra, err)
		}
	}
}
