// Package wsl reads the user-data that a person laid into the Windows profile
// for a distribution of the Windows Subsystem for Linux, and the instance ID in
// NAME.meta-data for the distribution of that name.
//
// https://docs.cloud-init.io/en/latest/reference/datasources/wsl.html
package wsl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/datasources"
	"rancheros/datasources/internal/wire"
)

// Kind is the WSL datasource.
var Kind = datasources.Kind{
	Name:     "wsl",
	Upstream: "WSL",
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
}

func detect(h *datasources.Host) datasources.Finding {
	if name := find(h); name != "" {
		return datasources.Finding{Match: datasources.Yes, Evidence: "/" + name + " is there"}
	}
	return datasources.Finding{}
}

func fetch(_ context.Context, env datasources.Env) (*datasources.Instance, error) {
	name := find(env.Host)
	if name == "" {
		return nil, errors.New("no Windows profile has a .cloud-init folder with user-data for this distribution")
	}
	b, err := fs.ReadFile(env.Host.Root, name)
	if err != nil {
		return nil, fmt.Errorf("read user-data: %w", err)
	}
	in := &datasources.Instance{
		ID:          defaultID,
		Hostname:    env.Host.Read("etc/hostname"),
		UserData:    b,
		Subplatform: "wsl (/" + name + ")",
	}
	return in, addMetadata(env.Host, in)
}

// defaultID is the instance's ID where no meta-data gives one.
const defaultID = "iid-datasource-wsl"

// addMetadata reads what a person wrote of the one distribution beside its
// user-data; if it is there, it must have an instance-id.
func addMetadata(h *datasources.Host, in *datasources.Instance) error {
	name := path.Join(profile(h), ".cloud-init", instance(h)+".meta-data")
	if instance(h) == "" || !h.Exists(name) {
		return nil
	}
	md, err := wire.Parse([]byte(h.Read(name)))
	if err != nil {
		return fmt.Errorf("/%s: %w", name, err)
	}
	in.ID, in.Metadata = md.Str("instance-id"), md
	if in.ID == "" {
		return fmt.Errorf("/%s: instance-id: %w", name, wire.ErrMissing)
	}
	if host := wire.Hostname(md.Str("local-hostname", "hostname")); host != "" {
		in.Hostname = host
	}
	return nil
}

// find is the file that counts: that of Ubuntu Pro first, then from the most
// to the least particular.
func find(h *datasources.Host) string {
	profile := profile(h)
	if profile == "" {
		return ""
	}
	id, version, ubuntu := release(h)
	instance := instance(h)
	var names []string
	if ubuntu {
		names = []string{".ubuntupro/.cloud-init/" + instance + ".user-data", ".ubuntupro/.cloud-init/agent.yaml"}
	}
	names = append(names,
		".cloud-init/"+instance+".user-data",
		".cloud-init/"+id+"-"+version+".user-data",
		".cloud-init/"+id+"-all.user-data",
		".cloud-init/default.user-data",
	)
	for _, n := range names {
		if strings.Contains(n, "/.user-data") || strings.Contains(n, "/-") {
			continue // a name that is not known
		}
		if p := path.Join(profile, n); h.Exists(p) {
			return p
		}
	}
	return ""
}

// instance is what the distribution is called in Windows: the share name of
// its root, //wsl.localhost/NAME/.
func instance(h *datasources.Host) string {
	if p := strings.Trim(h.Env["WSL_PATH"], "/"); p != "" {
		return path.Base(p)
	}
	return h.Env["WSL_DISTRO_NAME"]
}

// profile is the folder of the Windows user, below a mount of a Windows drive.
// Without such a mount there is nothing to read.
func profile(h *datasources.Host) string {
	if h.Virt != "wsl" {
		return ""
	}
	mounted := false
	for line := range strings.Lines(h.Read("proc/mounts")) {
		f := strings.Fields(line)
		mounted = mounted || len(f) > 3 && f[2] == "9p" && strings.Contains(f[3], "aname=drvfs")
	}
	p := strings.Trim(h.Env["USERPROFILE"], "/ \r\n")
	if !mounted || p == "" {
		return ""
	}
	return p
}

// release is ID and version of the distribution: the number, else the name. Only
// Ubuntu has Pro.
func release(h *datasources.Host) (id, version string, ubuntu bool) {
	v := map[string]string{}
	for line := range strings.Lines(h.Read("etc/os-release")) {
		k, val, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok {
			v[k] = strings.Trim(val, `"'`)
		}
	}
	return cmp.Or(v["ID"], "linux"), cmp.Or(v["VERSION_ID"], v["VERSION_CODENAME"]), v["NAME"] == "Ubuntu"
}
