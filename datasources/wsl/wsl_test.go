package wsl

import (
	"testing"
	"testing/fstest"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

func TestNothingIsReadWithoutAWindowsDrive(t *testing.T) {
	h := &datasources.Host{
		Root:  fstest.MapFS{"mnt/c/Users/me/.cloud-init/default.user-data": {Data: []byte("x")}},
		Facts: datasources.Facts{Virt: "wsl", Env: map[string]string{"USERPROFILE": "/mnt/c/Users/me"}},
	}
	if f := detect(h); f.Match != datasources.No {
		t.Errorf("detect() = %+v, want no", f)
	}
}

func TestTheMostParticularFileCounts(t *testing.T) {
	h := &datasources.Host{
		Root: fstest.MapFS{
			"proc/mounts":    {Data: []byte("C: /mnt/c 9p rw,aname=drvfs;path=C 0 0\n")},
			"etc/os-release": {Data: []byte("NAME=\"Ubuntu\"\nID=ubuntu\nVERSION_ID=\"24.04\"\n")},
		},
		Facts: datasources.Facts{Virt: "wsl", Env: map[string]string{"USERPROFILE": "/p", "WSL_DISTRO_NAME": "Mine"}},
	}
	for _, name := range []string{
		"p/.cloud-init/default.user-data", "p/.cloud-init/ubuntu-all.user-data", "p/.cloud-init/ubuntu-24.04.user-data",
		"p/.cloud-init/Mine.user-data", "p/.ubuntupro/.cloud-init/agent.yaml",
	} {
		h.Root.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte("x")}
		if got := find(h); got != name {
			t.Errorf("find() = %s, want %s", got, name)
		}
	}
}
