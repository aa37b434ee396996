package rbxcloud

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestPasswordIsAHashOrNone(t *testing.T) {
	for given, want := range map[string]string{"$6$salt$hash": "$6$salt$hash", "plain": "", "": ""} {
		in, err := parse(&datasources.Host{Root: fstest.MapFS{}},
			[]byte(`{"vm": {"_id": "i"}, "additionalMetadata": {"password": {"sha512": "`+given+`"}}}`), nil)
		if err != nil || in.Password != want {
			t.Errorf("password %q becomes %q (%v), want %q", given, in.Password, err, want)
		}
	}
}
