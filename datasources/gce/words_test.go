package gce

import "testing"

func TestWordsThatNobodyKnowsChangeNothing(t *testing.T) {
	a := &answers{instance: map[string]any{"user-data": "#cloud-config", "user-data-encoding": "rot13"}}
	if b, err := a.userData(); err != nil || string(b) != "#cloud-config" {
		t.Errorf("userData() = %q, %v, want it as it is", b, err)
	}
	if got := region("somewhere"); got != "somewhere" {
		t.Errorf("region() = %q, want the zone", got)
	}
}
