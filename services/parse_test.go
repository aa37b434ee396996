package services

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// one parses a service of the given keys, with an image.
func one(t *testing.T, keys string, env Env) (*Service, []error) {
	t.Helper()
	all, problems := parseFile([]byte("test:\n  image: base\n  labels: {io.rancher.os.scope: system}\n"+keys), env)
	if len(all) != 1 {
		t.Fatalf("parseFile() = %d services, problems %v", len(all), problems)
	}
	return &all[0], problems
}

func TestKeysOfBothGenerationsAreRead(t *testing.T) {
	for _, tt := range []struct {
		name, keys string
		got        func(*Service) any
		want       string // as JSON
	}{
		{"net", "  net: none", func(s *Service) any { return s.Host.NetworkMode }, `"none"`},
		{"network_mode", "  network_mode: none", func(s *Service) any { return s.Host.NetworkMode }, `"none"`},
		{"no network means the host's", "", func(s *Service) any { return s.Host.NetworkMode }, `"host"`},
		{"command as a line", "  command: sh -c 'echo \"a b\"' x\\ y", func(s *Service) any { return s.Config.Cmd }, `["sh","-c","echo \"a b\"","x y"]`},
		{"command as a list", "  command: [a, 2, true]", func(s *Service) any { return s.Config.Cmd }, `["a","2","true"]`},
		{"privileged in quotes", "  privileged: \"true\"", func(s *Service) any { return s.Host.Privileged }, `true`},
		{"log_driver", "  log_driver: syslog\n  log_opt: {tag: 1}", func(s *Service) any { return s.Host.LogConfig }, `{"Type":"syslog","Config":{"tag":"1"}}`},
		{"logging", "  logging: {driver: syslog, options: {tag: a}}", func(s *Service) any { return s.Host.LogConfig }, `{"Type":"syslog","Config":{"tag":"a"}}`},
		{"restart with a limit", "  restart: on-failure:3", func(s *Service) any { return s.Host.RestartPolicy }, `{"Name":"on-failure","MaximumRetryCount":3}`},
		{"restart no, as YAML reads it", "  restart: no", func(s *Service) any { return s.Host.RestartPolicy }, `{"Name":"no","MaximumRetryCount":0}`},
		{"mem_limit", "  mem_limit: 1.5g", func(s *Service) any { return s.Host.Memory }, `1610612736`},
		{"cpus", "  cpus: 0.5", func(s *Service) any { return s.Host.NanoCPUs }, `500000000`},
		{"ulimits", "  ulimits: {nofile: {soft: 1, hard: 2}, core: 0}", func(s *Service) any { return s.Host.Ulimits },
			`[{"Name":"core","Hard":0,"Soft":0},{"Name":"nofile","Hard":2,"Soft":1}]`},
		{"devices", "  devices: [/dev/fuse, '/dev/a:/dev/b:r']", func(s *Service) any { return s.Host.Devices },
			`[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"},{"PathOnHost":"/dev/a","PathInContainer":"/dev/b","CgroupPermissions":"r"}]`},
		{"tmpfs", "  tmpfs: /run:size=1m", func(s *Service) any { return s.Host.Tmpfs }, `{"/run":"size=1m"}`},
		{"stop_grace_period", "  stop_grace_period: 1m30s", func(s *Service) any { return s.Config.StopTimeout }, `90`},
		{"ports", "  net: bridge\n  ports: ['127.0.0.1:80:8080', '53:53/udp', '7000-7001:8000-8001']", func(s *Service) any { return s.Host.PortBindings },
			`{"53/udp":[{"HostIp":"","HostPort":"53"}],"8000/tcp":[{"HostIp":"","HostPort":"7000"}],"8001/tcp":[{"HostIp":"","HostPort":"7001"}],"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"80"}]}`},
		{"ports of the host's network mean nothing", "  net: host\n  ports: ['80:80']", func(s *Service) any { return s.Host.PortBindings }, `null`},
		{"hostname in the host's namespace means nothing", "  uts: host\n  hostname: x", func(s *Service) any { return s.Config.Hostname }, `""`},
		{"healthcheck", "  healthcheck: {test: curl x, interval: 5s, retries: 2}", func(s *Service) any { return s.Config.Healthcheck },
			`{"Test":["CMD-SHELL","curl x"],"Interval":5000000000,"Retries":2}`},
		{"volumes in long form", "  volumes: [{type: bind, source: /a, target: /b, read_only: true, bind: {propagation: rshared}}]",
			func(s *Service) any { return s.Host.Mounts },
			`[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rshared"}}]`},
		{"volumes of one's own win over a set's", "  volumes: ['/data:/opt:ro']\n  volumes_from: [user-volumes]", func(s *Service) any { return s.Host.Binds },
			`["/data:/opt:ro","/home:/home","/var/lib/kubelet:/var/lib/kubelet:rshared"]`},
		{"a set read-only", "  volumes_from: ['media-volumes:ro']", func(s *Service) any { return s.Host.Binds }, `["/media:/media:ro","/mnt:/mnt:ro"]`},
		{"volumes of another service", "  volumes_from: [db]", func(s *Service) any { return []any{s.Host.VolumesFrom, s.After} }, `[["db"],["db"]]`},
		{"the namespace of another service", "  net: service:db", func(s *Service) any { return []any{s.Host.NetworkMode, s.After} }, `["container:db",["db"]]`},
		{"syslog comes first for who logs there", "  log_driver: syslog", func(s *Service) any { return s.After }, `["syslog"]`},
		{"depends_on", "  depends_on: {a: {condition: service_started}, b: {}}", func(s *Service) any { return s.After }, `["a","b"]`},
		{"annotations", "  annotations: [a=b]", func(s *Service) any { return s.Host.Annotations }, `{"a":"b"}`},
		{"cgroup", "  cgroup: host", func(s *Service) any { return s.Host.CgroupnsMode }, `"host"`},
		{"a merge key", "  <<: {pid: host, ipc: host}\n  ipc: none", func(s *Service) any { return []any{s.Host.PidMode, s.Host.IpcMode} }, `["host","none"]`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, problems := one(t, tt.keys, nil)
			got, err := json.Marshal(tt.got(s))
			if err != nil || len(problems) > 0 {
				t.Fatalf("problems %v, err %v", problems, err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestEnvironmentIsTakenFromConfig(t *testing.T) {
	env := Env{"A": "1", "B_X": "2", "B_Y": "3", "test/C": "4", "C": "5", "other/B_Z": "6", "test/B_W": "7"}
	for _, tt := range []struct {
		name, keys string
		want       []string
	}{
		{"list", "  environment: [A, B_*, C, NONE, D=x=y, 'E=']", []string{"A=1", "B_W=7", "B_X=2", "B_Y=3", "C=4", "D=x=y", "E="}},
		{"map", "  environment: {A: , C: c, N: 5, T: true}", []string{"A=1", "C=c", "N=5", "T=true"}},
		{"interpolated", "  environment: ['A=${A}-${C}', 'B=${NONE:-z}$$A', 'C=$A$', 'D=${NONE-}', 'E=${bad']", []string{"A=1-4", "B=z$A", "C=1$", "D=", "E=${bad"}},
		{"defaults in defaults", "  environment: ['A=${NONE:-${A}}', 'B=${NONE-a${NOT:-${C}}z}', 'C=${A:-{}}']", []string{"A=1", "B=a4z", "C=1}"}},
		{
			"instead of a value, and demanded", "  environment: ['A=${A:+x}', 'B=${NONE+x}', 'C=${A:?no A}', 'D=${A?}', 'E=${A:=x}']",
			[]string{"A=x", "B=", "C=1", "D=1", "E=${A:=x}"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, problems := one(t, tt.keys, env)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(tt.want, s.Config.Env); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAServiceThatCannotBeReadIsLeftOutAndNamed(t *testing.T) {
	all, problems := parseFile([]byte(`
version: "2"
services:
  good: {image: base}
  bad name: {image: base}
  empty: {}
  listed: [1, 2]
  nothing:
  odd: {image: base, privileged: perhaps, comand: x, build: ., restart: never, ports: ["1:2:3:4:5"]}
`), nil)
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff([]string{"good", "odd"}, names); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	text := errors.Join(problems...).Error()
	for _, want := range []string{"bad name", "service empty", "service listed", "service nothing", "privileged", `"comand"`, "build", "restart", "ports"} {
		if !strings.Contains(text, want) {
			t.Errorf("no problem names %s:\n%s", want, text)
		}
	}
}

func TestABadEntryOfAListCostsNoOther(t *testing.T) {
	s, problems := one(t, "  net: bridge\n  volumes: [bad, /a:/a, {type: bind}, /b]\n  ports: ['x:y', 80:80, 127.0.0.1::81]\n  stop_grace_period: soon", nil)
	got, err := json.Marshal([]any{s.Host.Binds, s.Config.Volumes, s.Host.PortBindings, s.Config.StopTimeout})
	want := `[["/a:/a"],{"/b":{}},{"80/tcp":[{"HostIp":"","HostPort":"80"}],"81/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]},null]`
	if err != nil || string(got) != want || len(problems) != 3 {
		t.Errorf("got  %s (%v)\nwant %s\nproblems %v", got, err, want, problems)
	}
	if s, _ := one(t, "  stop_grace_period: 500ms", nil); *s.Config.StopTimeout != 1 {
		t.Errorf("500ms are %d s, want 1", *s.Config.StopTimeout)
	}
}

func TestLabelsSayWhatComposeCannot(t *testing.T) {
	all, _ := parseFile([]byte(`
test:
  image: base
  labels:
  - io.rancher.os.detach=false
  - io.rancher.os.after= cloud-init , x
  - io.rancher.os.before=y
  - io.docker.compose.rebuild=always
  - io.rancher.os.reloadconfig=true
  - io.rancher.os.createonly=true
`), nil)
	s := all[0]
	if !s.Wait || !s.Reload || !s.CreateOnly || s.System || s.Rebuild != "always" {
		t.Errorf("got %+v", s)
	}
	if diff := cmp.Diff([][]string{{"cloud-init-execute", "docker", "preload-user-images", "x"}, {"y"}}, [][]string{s.After, s.Before}); diff != "" {
		t.Errorf("after, before (-want +got):\n%s", diff)
	}
}

// The services that the image brings must all be good, and be those that
// builtin names.
func TestTheMachinesOwnServices(t *testing.T) {
	text, err := os.ReadFile("../templates/os-config.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Rancher struct {
			Services yaml.Node `yaml:"services"`
		} `yaml:"rancher"`
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "{{VERSION}}", "v1")), &c); err != nil {
		t.Fatal(err)
	}
	all, problems := parseAll(&c.Rancher.Services, nil)
	o, circles := newOrder(all)
	if problems = append(problems, circles...); len(problems) > 0 {
		t.Fatal(errors.Join(problems...))
	}
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
		if !s.System {
			t.Errorf("%s is not of the system's scope", s.Name)
		}
	}
	if diff := cmp.Diff(builtin(), names); diff != "" {
		t.Errorf("names (-builtin +os-config.yml):\n%s", diff)
	}
	sorted := o.sorted()
	for _, want := range [][2]string{{"udev", "cloud-init-execute"}, {"network", "cloud-init-execute"}, {"cloud-init-execute", "console"}, {"cloud-init-execute", "docker"}, {"docker", "ntp"}, {"logrotate", "system-cron"}} {
		if slices.Index(sorted, want[0]) > slices.Index(sorted, want[1]) {
			t.Errorf("%s comes after %s", want[0], want[1])
		}
	}
}

func TestSplitWordsRefusesWhatIsNotClosed(t *testing.T) {
	for _, line := range []string{"'a", `"a`, `a\`} {
		if words, err := SplitWords(line); err == nil {
			t.Errorf("SplitWords(%q) = %q, want an error", line, words)
		}
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add("a1: {image: base, ports: ['1-3:4-6'], volumes: [/a:/b], environment: [A=b]}")
	f.Add("services: {b2: {image: &x base, command: *x, <<: {pid: host}}}")
	f.Add("a1: &a {image: b, <<: *a}")
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := parseFile([]byte(text), Env{"A": "b"})
		for _, s := range all {
			if s.Hash() == "" {
				t.Errorf("%q has no hash", s.Name)
			}
		}
		newOrder(all)
	})
}

func TestCredentialsAreFoundByRegistry(t *testing.T) {
	auths := map[string]RegistryAuth{
		"https://index.docker.io/v1/": {Auth: "dXNlcjpwYXNz"},
		"reg.example:5000":            {Username: "u", Password: "p"},
		"https://other.example":       {Auth: "8J-YgDpw"},
	}
	for _, tt := range []struct{ image, want string }{
		{"busybox", "https://index.docker.io/v1/"},
		{"a/b:1", "https://index.docker.io/v1/"},
		{"reg.example:5000/a/b", "reg.example:5000"},
		{"other.example/a", "https://other.example"},
		{"none.example/a", ""},
		{"not an image", ""},
	} {
		got := ""
		if a := authFor(auths, tt.image); a != nil {
			got = a.ServerAddress
			if header, err := a.encode(); err != nil || header == "" {
				t.Errorf("encode for %s: %q, %v", tt.image, header, err)
			}
		}
		if got != tt.want {
			t.Errorf("authFor(%q) = %q, want %q", tt.image, got, tt.want)
		}
	}
}

// parseAll reads a mapping of names to definitions: rancher.services, or the
// `services` of a compose file. A service that cannot be read is left out and
// named in problems.
func parseAll(defs *yaml.Node, env Env) (all []Service, problems []error) {
	ps, err := pairs(defs)
	if err != nil {
		return nil, []error{fmt.Errorf("services: %w", err)}
	}
	for _, kv := range ps {
		s, errs := Parse(kv.key, kv.value, env)
		problems = append(problems, errs...)
		if s != nil {
			all = append(all, *s)
		}
	}
	return all, problems
}

// parseFile reads a service file: of compose's first version, names at the top,
// or of today's, under `services`.
func parseFile(data []byte, env Env) (all []Service, problems []error) {
	defs, err := FileDefs(data)
	if err != nil {
		return nil, []error{err}
	}
	return parseAll(defs, env)
}
