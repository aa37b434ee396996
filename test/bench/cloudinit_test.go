package bench

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rancheros/datasources/dstest"
	"rancheros/image/qemu"
	"rancheros/test/vm"
)

// runs of each measurement; the median is the figure.
const runs = 5

// cloudInit measures save and execute of a representative user-data on this
// machine, into an empty root.
func cloudInit(t *testing.T, f figures, sample string) {
	if sample == "" {
		t.Log("ROS_BENCH_SAMPLE is not set: cloud_init figures are left out")
		return
	}
	userData, err := os.ReadFile(filepath.Join(sample, "user-data"))
	if err != nil {
		t.Fatal(err)
	}
	userData = []byte(strings.ReplaceAll(string(userData), "@SSH_KEY@", vm.PublicKey(t)))
	metaData, err := os.ReadFile(filepath.Join(sample, "meta-data"))
	if err != nil {
		t.Fatal(err)
	}
	measure(t, f, "nocloud", func(root string) []string {
		seed := filepath.Join(root, "var/lib/cloud/seed/nocloud")
		write(t, filepath.Join(seed, "user-data"), userData)
		write(t, filepath.Join(seed, "meta-data"), metaData)
		return []string{"--datasource", "nocloud"}
	}, nil)

	dir := t.TempDir()
	u := qemu.User{Data: userData, Keys: []string{vm.PublicKey(t)}, Hostname: "bench-rich", ID: "bench"}
	if _, err := qemu.NewCloud("ec2", dir, "", u, nil); err != nil {
		t.Fatal(err)
	}
	h, err := dstest.Handler(filepath.Join(dir, "ec2/http"))
	if err != nil {
		t.Fatal(err)
	}
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		h.ServeHTTP(w, r)
	}))
	defer server.Close()
	measure(t, f, "ec2", func(root string) []string {
		dmi := filepath.Join(root, "sys/class/dmi/id")
		for name, value := range map[string]string{
			"product_uuid": "ec2a1b2c-0000-4000-8000-0123456789ab", "product_serial": "ec2a1b2c-0000-4000-8000-0123456789ab", "sys_vendor": "Amazon EC2",
		} {
			write(t, filepath.Join(dmi, name), []byte(value+"\n"))
		}
		return []string{"--datasource", "ec2", "--endpoint", server.URL}
	}, &requests)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// measure runs save and execute, and adds the median of each figure.
func measure(t *testing.T, f figures, name string, prepare func(root string) []string, requests *atomic.Int64) {
	var wall, cpu, rss []float64
	var asked int64
	for range runs {
		root := t.TempDir()
		for file, text := range map[string]string{
			"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/group": "root:x:0:\nsudo:x:27:\n", "etc/shadow": "root:*:19000:0:99999:7:::\n",
			"etc/os-release": "ID=debian\n", "etc/hosts": "127.0.0.1 localhost\n",
		} {
			write(t, filepath.Join(root, file), []byte(text))
		}
		args := prepare(root)
		if requests != nil {
			requests.Store(0)
		}
		save := run(t, "cloud-init-save", append([]string{"--root", root, "--output", "json"}, args...)...)
		execute := run(t, "cloud-init-execute", "--root", root)
		wall = append(wall, save.wall+execute.wall)
		cpu = append(cpu, save.cpu+execute.cpu)
		rss = append(rss, max(save.rss, execute.rss))
		if requests != nil {
			asked = requests.Load()
		}
	}
	f["cloud_init_"+name+"_wall_s"] = median(wall)
	f["cloud_init_"+name+"_cpu_s"] = median(cpu)
	f["cloud_init_"+name+"_rss_kb"] = int(median(rss))
	f["cloud_init_"+name+"_requests"] = asked
}

type usage struct{ wall, cpu, rss float64 }

func run(t *testing.T, applet string, args ...string) usage {
	t.Helper()
	cmd := exec.Command(vm.Out(t, "ros"), append([]string{applet}, args...)...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start).Seconds()
	// Both end with 1 when a part could not be done in this root (runcmd has no
	// programs here); what they did still counts.
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 1 {
		t.Fatalf("%s: %v: %s", applet, err, out)
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{took, cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds(), float64(u.Maxrss)}
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return float64(int(s[len(s)/2]*1000+0.5)) / 1000
}
