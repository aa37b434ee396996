package services

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/client"
)

// startEngine runs the dockerd that `make engine` built in namespaces of its
// own, where it is process 1: when the test ends, everything in there does.
func startEngine(t *testing.T) (e *Engine, pid int) {
	t.Helper()
	bin, err := filepath.Abs("../out/engine")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "dockerd")); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and `make engine`")
	}
	dir := t.TempDir()
	socket := filepath.Join(dir, "docker.sock")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("sh", "-c", `mount --make-rprivate / && mount --make-rshared / && mount -t proc proc /proc && mount -t tmpfs run /run && exec dockerd "$@"`, "sh",
		"--data-root", dir+"/data", "--exec-root", dir+"/exec", "--pidfile", dir+"/pid", "--host", "unix://"+socket, "--group", "root",
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--userland-proxy=false", "--storage-driver=overlay2",
		"--feature", "containerd-snapshotter=false", "--feature", "embedded-containerd=true", "--exec-opt", "native.cgroupdriver=cgroupfs")
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("cannot have namespaces here: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("dockerd: %s", text[max(0, len(text)-4000):])
		}
	})
	if e, err = Connect(socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Ready(t.Context(), time.Minute); err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s", err, text)
	}
	return e, cmd.Process.Pid
}

// makeImage makes an image of the test program alone.
func makeImage(t *testing.T, e *Engine, name string) {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", exe, "./testdata/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	text, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "program", Mode: 0o755, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	res, err := e.Client().ImageImport(t.Context(), client.ImageImportSource{Source: &b, SourceName: "-"}, name, client.ImageImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Close()
	if _, err := new(bytes.Buffer).ReadFrom(res); err != nil {
		t.Fatal(err)
	}
}

const realServices = `
first:
  image: program
  command: /program exit 0
  labels: {io.rancher.os.scope: system, io.rancher.os.detach: "false"}
fails:
  image: program
  command: [/program, exit, "3"]
  labels: {io.rancher.os.scope: system, io.rancher.os.detach: "false"}
main:
  image: program
  command: /program run main
  environment: {GREETING: hello}
  restart: always
  privileged: true
  uts: host
  pid: host
  ipc: host
  cgroup: host
  net: host
  volumes_from: [media-volumes]
  ulimits: {nofile: 1024}
  log_driver: json-file
  log_opt: {max-size: 1m}
  labels: {io.rancher.os.scope: system, io.rancher.os.after: "first, fails"}
`

func TestUpWithARealEngine(t *testing.T) {
	e, pid := startEngine(t)
	makeImage(t, e, "program")
	verbs := func(p Project, policy Policy) (map[string]string, error) {
		results, err := Up(t.Context(), p, Options{System: e, Online: noWait, Policy: policy})
		out := map[string]string{}
		for _, r := range results {
			out[r.Name] = string(r.Verb)
		}
		return out, err
	}
	got, err := verbs(project(t, realServices), Policy{})
	if err == nil || !strings.Contains(err.Error(), "service fails: it ended with code 3") || strings.Contains(err.Error(), "main") {
		t.Errorf("Up() error = %v, want that fails ended with code 3 and nothing else", err)
	}
	if diff := cmp.Diff(map[string]string{"first": "create", "fails": "create", "main": "create"}, got); diff != "" {
		t.Errorf("first Up (-want +got):\n%s", diff)
	}
	got, _ = verbs(project(t, realServices), Policy{})
	if diff := cmp.Diff(map[string]string{"first": "start", "fails": "start", "main": "keep"}, got); diff != "" {
		t.Errorf("second Up (-want +got):\n%s", diff)
	}
	got, _ = verbs(project(t, strings.Replace(realServices, "hello", "goodbye", 1)), Policy{})
	if got["main"] != "replace" {
		t.Errorf("main with another environment: %s, want replace", got["main"])
	}
	control := &Control{Project: project(t, realServices), System: e}
	logs := &bytes.Buffer{}
	waitForLog(t, control, logs)
	if got := logs.String(); got != "run main goodbye\n" {
		t.Errorf("logs = %q, want what main printed", got)
	}
	if err := control.Rm(t.Context(), false, false, "main"); err == nil {
		t.Error("Rm() of a running service without force succeeded")
	}
	if err := errors.Join(control.Restart(t.Context(), 5*time.Second, "main"), control.Stop(t.Context(), 5*time.Second, "main")); err != nil {
		t.Error(err)
	}
	states, err := control.Ps(t.Context(), "main")
	if err != nil || len(states) != 1 || states[0].State != "exited" {
		t.Errorf("Ps() = %+v, %v, want main exited", states, err)
	}
	if err := control.Rm(t.Context(), true, true); err != nil {
		t.Error(err)
	}
	waitForNoZombies(t, pid)
}

// waitForNoZombies waits until process 1 of the engine's namespace has no dead
// child left: every container leaves it some.
func waitForNoZombies(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		var zombies []string
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range stats {
			stat, err := os.ReadFile(name)
			if err == nil && strings.Contains(string(stat), fmt.Sprintf(") Z %d ", pid)) {
				zombies = append(zombies, string(stat))
			}
		}
		if len(zombies) == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("dead children that nobody collects: %q", zombies)
		case <-tick.C:
		}
	}
}

// waitForLog waits until main has written something: it has started when Up
// returns, no more.
func waitForLog(t *testing.T, c *Control, out *bytes.Buffer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for out.Len() == 0 {
		if err := c.Logs(ctx, -1, false, out, "main"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
			t.Fatal("main wrote nothing")
		case <-tick.C:
		}
	}
}

// The image builder seeds System Docker with layers that lie elsewhere, in the
// read-only root image. See image/seed.
func TestLayersMayBeLinksToAReadOnlyPlace(t *testing.T) {
	e, _ := startEngine(t)
	makeImage(t, e, "program")
	info, err := e.Client().Info(t.Context(), client.InfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	diffs, err := filepath.Glob(filepath.Join(info.Info.DockerRootDir, "overlay2", "*", "diff"))
	if err != nil {
		t.Fatal(err)
	}
	for _, diff := range diffs {
		to := filepath.Join(t.TempDir(), "layer")
		if err := errors.Join(os.Rename(diff, to), os.Symlink(to, diff)); err != nil {
			t.Fatal(err)
		}
		moved++
	}
	if moved == 0 {
		t.Fatal("the image has no layer")
	}
	p := project(t, `aa: {image: program, command: /program exit 0, labels: {io.rancher.os.scope: system, io.rancher.os.detach: "false"}}`)
	if _, err := Up(t.Context(), p, Options{System: e}); err != nil {
		t.Errorf("a container on linked layers: %v", err)
	}
}
