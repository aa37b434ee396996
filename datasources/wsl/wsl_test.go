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

func TestMetaDataOfTheDistributionGivesTheID(t *testing.T) {
	for text, want := range map[string]string{"instance-id: i-1\nlocal-hostname: web": "i-1", "": "", "local-hostname: web": "", "-": "", "none": defaultID} {
		root := fstest.MapFS{
			"proc/mounts":                     {Data: []byte("C: /mnt/c 9p rw,aname=drvfs;path=C 0 0\n")},
			"p/.cloud-init/default.user-data": {Data: []byte("x")},
		}
		if text != "none" {
			root["p/.cloud-init/Mine.meta-data"] = &fstest.MapFile{Data: []byte(text)}
		}
		h := &datasources.Host{Root: root, Facts: datasources.Facts{Virt: "wsl", Env: map[string]string{"USERPROFILE": "/p", "WSL_DISTRO_NAME": "Mine"}}}
		in, err := fetch(t.Context(), dstest.Env(h, "", nil))
		if want == "" {
			if err == nil {
				t.Errorf("meta-data %q: fetch() = %+v, want an error", text, in)
			}
			continue
		}
		if err != nil || in.ID != want {
			t.Errorf("meta-data %q: fetch() = %+v, %v, want %s", text, in, err, want)
		}
	}
}
