// Package services runs the machine's system services, and the services a user
// adds to them, as containers.
//
// A service is written as in a compose file, with the keys that RancherOS read
// (net, log_driver, volumes_from, ...) as well as today's. Labels say what
// compose has no word for: which of the two Dockers it runs in, what it comes
// after, whether to wait for its end.
package services

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// The labels that a service may carry. Users' service files depend on them.
const (
	labelScope      = "io.rancher.os.scope"        // system: System Docker; else User Docker
	labelDetach     = "io.rancher.os.detach"       // "false": wait for its end before what comes after it
	labelCreateOnly = "io.rancher.os.createonly"   // "true": something else starts it
	labelAfter      = "io.rancher.os.after"        // names, by comma
	labelBefore     = "io.rancher.os.before"       // names, by comma
	labelReload     = "io.rancher.os.reloadconfig" // "true": config may be another once it has started
	labelConsole    = "io.rancher.os.console"      // the name of the console that this is
	labelRebuild    = "io.docker.compose.rebuild"  // always, "false", or when its definition changed
	labelHost       = "io.rancher.os.host"         // "true": at boot a process of the machine, no container
)

// The labels that this package adds to containers.
const (
	labelHash    = "io.rancher.os.hash"
	labelProject = "io.rancher.os.project"
)

// A Project is a set of services that are brought up together.
type Project struct {
	// Name is "os" for the machine's own.
	Name string
	// Services are in the order of the config: what the OS defines comes before
	// what a user adds.
	Services []Service
	// Auths are the credentials for registries, by the registry's name.
	Auths map[string]RegistryAuth
}

// Find returns the service of that name, or nil.
func (p *Project) Find(name string) *Service {
	i := slices.IndexFunc(p.Services, func(s Service) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Services[i]
}

// Only returns the project with the named services alone; all of them when no
// name is given. unknown lists the names that are not there.
func (p Project) Only(names ...string) (only Project, unknown []string) {
	if len(names) == 0 {
		return p, nil
	}
	only = p
	only.Services = nil
	for _, name := range names {
		if s := p.Find(name); s != nil {
			only.Services = append(only.Services, *s)
		} else {
			unknown = append(unknown, name)
		}
	}
	return only, unknown
}

// A Service is one container that should be there. Make it with Parse.
type Service struct {
	Name string
	// System says that it runs in System Docker.
	System bool
	// Wait is for the service's end before what comes after it starts.
	Wait bool
	// CreateOnly leaves the starting to something else, a schedule for example.
	CreateOnly bool
	// Reload has the config read again once the service has started.
	Reload bool
	// OnHost has the command run outside of any container at boot. See
	// Options.OnHost.
	OnHost bool
	// Console is the name of the console that this is.
	Console string
	// Rebuild is "always" (at each boot), "false" (never), or "" (when the
	// definition or the image changed).
	Rebuild string
	// Online waits for a default route: io.rancher.os.after names the network.
	Online bool
	// After and Before name other services. One that is not there is no reason
	// to wait.
	After, Before []string

	// Config, Host and Network are what Docker is asked for.
	Config  *container.Config
	Host    *container.HostConfig
	Network *network.NetworkingConfig
}

// Image is the image of the service as its definition names it.
func (s *Service) Image() string { return s.Config.Image }

// Hash names the definition: two services with the same hash make the same
// container.
func (s *Service) Hash() string {
	b, err := json.Marshal(struct {
		Config  *container.Config
		Host    *container.HostConfig
		Network *network.NetworkingConfig
	}{s.Config, s.Host, s.Network})
	if err != nil { // these types hold nothing that JSON cannot
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// withVolumes is s with the anonymous volumes of the container that it replaces,
// by the folders they are mounted at, as compose does it: what a database keeps
// there outlives a new image. What is made anew at every boot begins empty.
func (s *Service) withVolumes(old map[string]string) *Service {
	if s.Rebuild == "always" {
		return s
	}
	out, host := *s, *s.Host
	taken := map[string]bool{}
	for _, b := range host.Binds {
		taken[path.Clean(bindTarget(b))] = true
	}
	for _, m := range host.Mounts {
		taken[path.Clean(m.Target)] = true
	}
	for at := range host.Tmpfs {
		taken[path.Clean(at)] = true
	}
	host.Binds = slices.Clone(host.Binds)
	for _, at := range slices.Sorted(maps.Keys(old)) {
		if !taken[at] {
			host.Binds = append(host.Binds, old[at]+":"+at)
		}
	}
	out.Host = &host
	return &out
}

// readLabels takes the meaning out of the labels.
func (s *Service) readLabels() {
	l := s.Config.Labels
	s.System = l[labelScope] == "system"
	s.Wait = l[labelDetach] == "false"
	s.CreateOnly = l[labelCreateOnly] == "true"
	s.Reload = l[labelReload] == "true"
	s.OnHost = s.System && l[labelHost] == "true"
	s.Console = l[labelConsole]
	if r := l[labelRebuild]; r == "always" || r == "false" {
		s.Rebuild = r
	}
	after := names(l[labelAfter])
	s.Online = slices.Contains(after, networkService)
	s.After = append(s.After, after...)
	s.Before = append(s.Before, names(l[labelBefore])...)
}

func names(list string) []string {
	var out []string
	for name := range strings.SplitSeq(list, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
		case "cloud-init": // the name it had before it was split in two
			out = append(out, "cloud-init-execute")
		default:
			out = append(out, name)
		}
	}
	return out
}
