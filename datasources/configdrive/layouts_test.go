package configdrive

import (
	"errors"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/openstack"
)

func TestAnyFileOfTheFirstLayoutWillDo(t *testing.T) {
	env := dstest.Env(&datasources.Host{Root: fstest.MapFS{}}, "", nil)
	in, err := read(t.Context(), env, drive.Folder(fstest.MapFS{"root/.ssh/authorized_keys": {Data: []byte("ssh-ed25519 AAAA\n")}}))
	if err != nil || in.ID != defaultID || len(in.PublicKeys) != 1 {
		t.Errorf("read() = %+v, %v, want an instance with a key", in, err)
	}
	in, err = read(t.Context(), env, drive.Folder(fstest.MapFS{"meta.js": {Data: []byte(`{"user-data": "#!"}`)}}))
	if err != nil || string(in.UserData) != "#!" || in.Metadata["user-data"] != nil {
		t.Errorf("read() = %+v, %v, want user-data, and not in metadata", in, err)
	}
	if in, err = read(t.Context(), env, drive.Folder(fstest.MapFS{"etc/passwd": {}})); err == nil {
		t.Errorf("read() = %+v, want an error", in)
	}
}

func TestTheFirstLayoutMayBeDisabled(t *testing.T) {
	env := dstest.Env(&datasources.Host{Root: fstest.MapFS{}}, "", nil)
	in, err := read(t.Context(), env, drive.Folder(fstest.MapFS{"meta.js": {Data: []byte(`{"dsmode": "disabled"}`)}}))
	if !errors.Is(err, openstack.ErrDisabled) {
		t.Errorf("read() = %+v, %v, want %v", in, err, openstack.ErrDisabled)
	}
}
