package gce

import (
	"testing"

	"rancheros/datasources"
)

func TestWordsThatNobodyKnowsChangeNothing(t *testing.T) {
	a := &answers{instance: map[string]any{"user-data": "#cloud-config", "user-data-encoding": "rot13"}}
	in := &datasources.Instance{}
	if b := a.userData(in); string(b) != "#cloud-config" || in.Problems != nil {
		t.Errorf("userData() = %q, problems %q, want it as it is", b, in.Problems)
	}
	if got := region("somewhere"); got != "somewhere" {
		t.Errorf("region() = %q, want the zone", got)
	}
}

func TestUserDataThatIsNoBase64CostsOnlyItself(t *testing.T) {
	a := &answers{instance: map[string]any{"user-data": "#cloud-config", "user-data-encoding": "base64"}}
	in := &datasources.Instance{}
	if b := a.userData(in); b != nil || len(in.Problems) != 1 {
		t.Errorf("userData() = %q, problems %q, want a problem only", b, in.Problems)
	}
}
