package unit_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/cloudconfig/ignition/unit"
)

func TestServiceReadsDockerRun(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want map[string]any
	}{
		{"[Service]\nExecStart=/usr/bin/docker run redis\n", map[string]any{"image": "redis"}},
		{"[Service]\nRestart=on-failure\nExecStart=-docker run -d --rm -it -p80:80 -p 81:81 redis a 'b c'\n",
			map[string]any{"image": "redis", "command": []string{"a", "b c"}, "stdin_open": true, "tty": true, "ports": []string{"80:80", "81:81"}, "restart": "on-failure"}},
		{"[Service]\nEnvironment=TAG=7 \"N=a b\"\nExecStart=/bin/docker run \\\n  --label n=${N} --privileged \\\n  redis:$TAG 100%%\n",
			map[string]any{"image": "redis:7", "command": []string{"100%"}, "labels": []string{"n=a b"}, "privileged": true}},
		{"[Service]\nExecStart=docker run wrong\nExecStart=\nExecStart=docker run -v=/a:/b:ro right\n", map[string]any{"image": "right", "volumes": []string{"/a:/b:ro"}}},
	} {
		got, err := unit.Service(tt.in)
		if err != nil {
			t.Errorf("Service(%q): %v", tt.in, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Service(%q) (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestServiceSaysWhyItCannot(t *testing.T) {
	for in, want := range map[string]string{
		"[Unit]\nDescription=x\n":                                         "no ExecStart",
		"[Service]\nExecStart=/bin/a\n":                                   "not a container",
		"[Service]\nExecStart=docker start x\n":                           "only `docker run`",
		"[Service]\nExecStart=docker run --gpus all x\n":                  "--gpus",
		"[Service]\nExecStart=docker run -e H=%H x\n":                     "%H",
		"[Service]\nExecStart=docker run $X x\n":                          "\"X\" is not set",
		"[Service]\nExecStart=docker run -p\n":                            "needs a value",
		"[Service]\nExecStart=docker run -d\n":                            "no image",
		"[Service]\nExecStart=docker run 'x\n":                            "quotes",
		"[Service]\nExecStartPre=/bin/mkdir /x\nExecStart=docker run x\n": "ExecStartPre",
	} {
		if _, err := unit.Service(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Service(%q): error %v, want %q", in, err, want)
		}
	}
}
