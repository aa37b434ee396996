package akamai

import (
	"testing"

	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestUserDataThatIsNoBase64CostsOnlyItself(t *testing.T) {
	in, err := parse([]byte(`{"id": 1, "label": "web"}`), []byte("#cloud-config"))
	if err != nil || in.UserData != nil || in.ID != "1" || len(in.Problems) != 1 {
		t.Errorf("parse() = %+v, %v, want an instance with a problem", in, err)
	}
}
