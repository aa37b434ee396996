package daemon

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"rancheros/cloudconfig"
)

func config(t *testing.T, text string) *cloudconfig.Config {
	t.Helper()
	var c cloudconfig.Config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestSystemNeedsNoConfig(t *testing.T) {
	c, err := system(&cloudconfig.Config{}, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(`/usr/bin/dockerd --config-file=/run/ros/system-docker.json --bridge=none --iptables=false --ip6tables=false
		--storage-driver=overlay2 --exec-root=/var/run/system-docker --pidfile=/var/run/system-docker.pid --group=root
		--userland-proxy=false --restart=false --data-root=/var/lib/system-docker --host=unix:///var/run/system-docker.sock`)
	if diff := cmp.Diff(want, c.Argv); diff != "" {
		t.Errorf("system() (-want +got):\n%s", diff)
	}
	wantFile := "{\n  \"features\": {\n    \"containerd-snapshotter\": false,\n    \"embedded-containerd\": true\n  }\n}\n"
	if diff := cmp.Diff(wantFile, string(c.Files[0].Content)); diff != "" {
		t.Errorf("config file (-want +got):\n%s", diff)
	}
}

func TestUser(t *testing.T) {
	const plain = "/usr/bin/dockerd --config-file=/run/ros/docker.json --group=docker --userland-proxy=false --firewall-backend=nftables" +
		" --exec-root=/var/run/docker --pidfile=/var/run/docker.pid --data-root=/var/lib/docker"
	for _, tt := range []struct {
		name, config string
		files        map[string]string
		want         string
	}{
		{"defaults", "", nil, plain + " --host=unix:///var/run/docker.sock"},
		{
			"values of the config",
			"rancher: {docker: {bip: 10.9.0.1/16, graph: /mnt/docker, storage_driver: overlay, debug: true, log_opts: {max-size: 25m, max-file: 2}, insecure_registry: [a:5000], registry_mirror: 'http://m'}}",
			nil,
			strings.Replace(plain, "/var/lib/docker", "/mnt/docker", 1) + " --storage-driver=overlay2 --debug=true --bip=10.9.0.1/16" +
				" --host=unix:///var/run/docker.sock --log-opt=max-file=2 --log-opt=max-size=25m --insecure-registry=a:5000 --registry-mirror=http://m",
		},
		{
			"what docker-machine writes", "",
			map[string]string{"var/lib/rancher/conf/docker": "# it's ours\nDOCKER_OPTS='\n-H tcp://0.0.0.0:2376\n-H unix:///var/run/docker.sock\n--storage-driver overlay\n--tlsverify\n--tlscacert /etc/docker/ca.pem\n--label \"a b=c d\"\n'\n"},
			plain + " --host=tcp://0.0.0.0:2376 --host=unix:///var/run/docker.sock --storage-driver=overlay2 --tlsverify --tlscacert=/etc/docker/ca.pem --label=a_b=c_d",
		},
		{
			"an argument wins over ours",
			"rancher: {docker: {extra_args: [--firewall-backend, iptables, -g, /other, --oom-score-adjust=-500]}}", nil,
			strings.NewReplacer(" --firewall-backend=nftables", "", " --data-root=/var/lib/docker", "").Replace(plain) +
				" --host=unix:///var/run/docker.sock --firewall-backend=iptables --data-root=/other",
		},
		{
			"the daemon's config file wins over ours",
			"rancher: {docker: {config_file: /etc/docker/daemon.json, log_opts: {max-size: 25m}}}",
			map[string]string{"etc/docker/daemon.json": `{"hosts": ["fd://"], "data-root": "/mine", "log-opts": {"max-size": "1m"}}`},
			strings.Replace(plain, " --data-root=/var/lib/docker", "", 1),
		},
		{
			"an argument wins over the daemon's config file",
			"rancher: {docker: {config_file: /etc/docker/daemon.json, extra_args: [--label=a=b, --log-level, info, -H, fd://]}}",
			map[string]string{"etc/docker/daemon.json": `{"labels": ["c=d"], "log-level": "debug", "hosts": ["tcp://:1"], "data-root": "/mine"}`},
			strings.Replace(plain, " --data-root=/var/lib/docker", "", 1) + " --host=unix:///var/run/docker.sock --label=a=b --log-level=info --host=fd://",
		},
		{
			"variables whose names begin alike, and one that is not set", "",
			map[string]string{"var/lib/rancher/conf/docker": "D=1\nDI=2\nDIR=3\nDOCKER_OPTS=\"$DOCKER_OPTS $NONE --data-root=/$DIR/${DI}/$D\"\n"},
			strings.Replace(plain, " --data-root=/var/lib/docker", "", 1) + " --host=unix:///var/run/docker.sock --data-root=/3/2/1",
		},
		{
			"the same socket twice",
			"rancher: {docker: {tls: true, ca_cert: x, server_cert: y, server_key: z}}",
			map[string]string{"var/lib/rancher/conf/docker": "DOCKER_OPTS=\"-H tcp://0.0.0.0:2376\""},
			plain + " --host=unix:///var/run/docker.sock --tlsverify --tlscacert=/etc/docker/tls/ca.pem --tlscert=/etc/docker/tls/server-cert.pem" +
				" --tlskey=/etc/docker/tls/server-key.pem --host=0.0.0.0:2376",
		},
		{
			"a proxy that is not there", "rancher: {docker: {userland_proxy: true}}", nil,
			plain + " --host=unix:///var/run/docker.sock",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range tt.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			c, err := user(config(t, tt.config), root)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range c.Argv {
				got = append(got, strings.ReplaceAll(a, " ", "_"))
			}
			if diff := cmp.Diff(strings.Fields(tt.want), got); diff != "" {
				t.Errorf("user() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTLSWithoutCertificatesSaysWhereToPutThem(t *testing.T) {
	_, err := user(config(t, "rancher: {docker: {tls: true}}"), fstest.MapFS{})
	if err == nil || !strings.Contains(err.Error(), "rancher.docker.ca_cert") {
		t.Errorf("user() error = %v, want one that names the keys of config", err)
	}
}

func TestWhatCannotBeReadIsLeftOutAndNamed(t *testing.T) {
	for _, tt := range []struct{ name, file, text string }{
		{"open quote", "var/lib/rancher/conf/docker", "DOCKER_OPTS='-D"},
		{"a program", "var/lib/rancher/conf/docker", "rm -rf /"},
		{"broken JSON", "etc/docker/daemon.json", "{"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := user(config(t, "rancher: {docker: {config_file: /etc/docker/daemon.json}}"), fstest.MapFS{tt.file: &fstest.MapFile{Data: []byte(tt.text)}})
			if err != nil || len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Error(), tt.file) {
				t.Errorf("err = %v, problems = %v; want one problem that names %s", err, c.Problems, tt.file)
			}
		})
	}
}

// TestAFlagIsNotInTheFileAsWell: dockerd refuses to start on what it is told
// twice.
func TestAFlagIsNotInTheFileAsWell(t *testing.T) {
	c, err := user(config(t, "rancher: {docker: {config_file: /etc/docker/daemon.json, extra_args: [--exec-opt=x, --debug, --feature, a=false, --feature=b]}}"), fstest.MapFS{
		"etc/docker/daemon.json": &fstest.MapFile{Data: []byte(`{"exec-opts": ["y"], "debug": false, "mtu": 1400, "features": {"a": true}}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "{\n  \"features\": {\n    \"a\": false,\n    \"b\": true,\n    \"embedded-containerd\": true,\n    \"swarm-nftables\": true\n  },\n  \"mtu\": 1400\n}\n"
	if diff := cmp.Diff(want, string(c.Files[0].Content)); diff != "" {
		t.Errorf("config file (-want +got):\n%s", diff)
	}
	if len(c.Problems) != 2 {
		t.Errorf("problems = %v, want one for each key that is left out", c.Problems)
	}
}

func TestExportedVariablesReachTheEngine(t *testing.T) {
	c, err := user(&cloudconfig.Config{}, fstest.MapFS{"var/lib/rancher/conf/docker": &fstest.MapFile{
		Data: []byte("PORT=2376\nDOCKER_OPTS=\"-H tcp://0.0.0.0:$PORT\" # where\nexport \"HTTP_PROXY=http://p:1\"\nexport NO_PROXY=a,b\n"),
	}})
	if err != nil || len(c.Problems) > 0 {
		t.Fatal(err, c.Problems)
	}
	if diff := cmp.Diff([]string{"HTTP_PROXY=http://p:1", "NO_PROXY=a,b"}, c.Env[2:]); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if got := c.Argv[len(c.Argv)-1]; got != "--host=tcp://0.0.0.0:2376" {
		t.Errorf("last argument = %q", got)
	}
}

func TestProxiesReachBothEngines(t *testing.T) {
	c := config(t, "rancher: {network: {http_proxy: 'http://p:1', no_proxy: a}, docker: {environment: ['NO_PROXY=b']}}")
	for name, make := range map[string]func(*cloudconfig.Config, fs.FS) (Command, error){"system": system, "user": user} {
		cmd, err := make(c, fstest.MapFS{})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "NO_PROXY=a", "no_proxy=a"}
		if name == "user" {
			want = []string{want[0], want[1], want[3], "NO_PROXY=b"} // what is said of one engine wins
		}
		got := slices.DeleteFunc(cmd.Env, func(kv string) bool { return !strings.Contains(strings.ToUpper(kv), "_PROXY=") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: env (-want +got):\n%s", name, diff)
		}
	}
}
