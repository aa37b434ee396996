// Package bench measures the built system: `make bench` prints the figures and
// writes out/bench.json.
package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"rancheros/test/vm"
)

// figures are flat: the unit is in the key.
type figures map[string]any

// marks of a boot, in their order.
var marks = []string{"userspace", "datasource", "system_docker", "ssh", "user_docker"}

const (
	patience = 10 * time.Minute
	// settle is how long the machine rests before its memory is measured.
	settle = 20 * time.Second
)

// TestFigures is not a test of anything: it fails only when something cannot be
// measured.
func TestFigures(t *testing.T) {
	out := os.Getenv("ROS_BENCH")
	if out == "" {
		t.Skip("figures are measured by `make bench`")
	}
	f := figures{}
	sizes(t, f)
	cloudInit(t, f, os.Getenv("ROS_BENCH_SAMPLE"))
	withCards(t, f)
	boots(t, f)
	f["boot_8nics_datasource_guest_s"] = eightCards(t)
	f["smallest_mem_mb"] = smallest(t)
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	fmt.Print(f.table())
}

func (f figures) table() string {
	var b strings.Builder
	for _, k := range sortedKeys(f) {
		if m, ok := f[k].(map[string]int); ok {
			for _, name := range sortedKeys(m) {
				fmt.Fprintf(&b, "%-40s %d\n", k+"."+name, m[name])
			}
			continue
		}
		if s, ok := f[k].(string); ok {
			fmt.Fprintf(&b, "%s:\n%s\n", k, s)
			continue
		}
		fmt.Fprintf(&b, "%-40s %v\n", k, f[k])
	}
	return b.String()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func sizes(t *testing.T, f figures) {
	for key, name := range map[string]string{
		"kernel_bytes": "vmlinuz", "initrd_bytes": "initrd", "root_bytes": "root.squashfs", "iso_bytes": "ros.iso", "ros_bytes": "ros",
	} {
		st, err := os.Stat(vm.Out(t, name))
		if err != nil {
			t.Fatal(err)
		}
		f[key] = st.Size()
	}
	f["engine_bytes"] = engineShare(t)
}

// engineShare is what the engine's programs take in the root image: the same
// compression over them alone.
func engineShare(t *testing.T) int64 {
	tools, err := filepath.Glob("../../.cache/tools-*")
	if err != nil || len(tools) == 0 {
		t.Fatalf("no build tools in .cache: %v: run `make image`", err)
	}
	root, err := filepath.Abs(tools[0])
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "engine.squashfs")
	cmd := exec.Command(filepath.Join(root, "usr/lib64/ld-linux-x86-64.so.2"), "--library-path", filepath.Join(root, "usr/lib/x86_64-linux-gnu"),
		filepath.Join(root, "usr/bin/mksquashfs"), vm.Out(t, "engine"), out, "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level", "22", "-b", "1M")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mksquashfs: %v: %s", err, b)
	}
	st, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// boots measures a first boot from the ISO with a blank disk and a NoCloud
// drive, the machine at rest, and a second boot.
func boots(t *testing.T, f figures) {
	m := vm.Machine{Disk: vm.NewDisk(t, 4), UserData: vm.Lines("#cloud-config", "hostname: bench")}
	v := boot(t, f, "boot", m)
	v.WaitLine("ros is up", patience)
	rest := time.NewTimer(settle)
	<-rest.C
	memory(v, f)
	f["boot_steps"] = v.Run("sudo ros os boot")
	v.Send(vm.BusyboxTar(t), "docker import - bb >/dev/null")
	f["first_container_s"] = seconds(t, v.Run("read a _ </proc/uptime; docker run --rm bb /bin/echo hi >/dev/null; read b _ </proc/uptime; echo $a $b"))
	if _, err := v.Try("sudo poweroff"); err != nil {
		t.Logf("poweroff: %v", err)
	}
	v.WaitOff(3 * time.Minute)
	boot(t, f, "reboot", m).Kill()
}

// eightCards is how long a machine with eight cards looks for its datasource, by
// its own clock: on the wire of seven of them nobody answers.
func eightCards(t *testing.T) float64 {
	var silent []vm.NIC
	for i := range 7 {
		silent = append(silent, vm.NIC{Wire: 1, MAC: fmt.Sprintf("52:54:00:00:00:%02x", i+1)})
	}
	v := vm.Start(t, vm.Machine{Datasource: "ec2", Args: vm.WiresArgs(nil, silent)})
	defer v.Kill()
	v.WaitMark("ssh", patience)
	var record struct {
		Steps []struct {
			Name string  `json:"name"`
			Took float64 `json:"took_s"`
		} `json:"steps"`
	}
	if err := json.Unmarshal([]byte(v.Run("sudo ros os boot --output json")), &record); err != nil {
		t.Fatal(err)
	}
	for _, s := range record.Steps {
		if s.Name == "cloud-init-save" {
			return round(s.Took)
		}
	}
	t.Fatal("the record of the boot has no step cloud-init-save")
	return 0
}

func boot(t *testing.T, f figures, name string, m vm.Machine) *vm.VM {
	v := vm.Start(t, m)
	for _, mark := range marks {
		at := v.WaitMark(mark, patience)
		f[name+"_"+mark+"_wall_s"] = round(at.Wall.Seconds())
		f[name+"_"+mark+"_cpu_s"] = round(at.CPU.Seconds())
	}
	return v
}

func round(s float64) float64 { return float64(int(s*100+0.5)) / 100 }

func seconds(t *testing.T, pair string) float64 {
	var a, b float64
	if _, err := fmt.Sscan(pair, &a, &b); err != nil {
		t.Fatalf("%q: %v", pair, err)
	}
	return round(b - a)
}

// pss prints "name kB" for every process.
const pss = `sudo sh -c 'for p in /proc/[0-9]*; do read -r n <$p/comm && awk -v n="$n" "/^Pss:/ {print n, \$2}" $p/smaps_rollup; done 2>/dev/null; true'`

// memory measures the machine at rest. What measures it (a shell over ssh) is
// in the figures.
func memory(v *vm.VM, f figures) {
	var total, available int
	for line := range strings.Lines(v.Run("cat /proc/meminfo")) {
		w := strings.Fields(line)
		switch w[0] {
		case "MemTotal:":
			total, _ = strconv.Atoi(w[1])
		case "MemAvailable:":
			available, _ = strconv.Atoi(w[1])
		}
	}
	f["memory_used_kb"] = total - available
	sum, by := 0, map[string]int{}
	for line := range strings.Lines(v.Run(pss)) {
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		kb, _ := strconv.Atoi(w[len(w)-1])
		by[strings.Join(w[:len(w)-1], "_")] += kb
		sum += kb
	}
	f["pss_sum_kb"], f["pss_kb"] = sum, by
}

// smallest is the least memory, in steps of 32 MiB, with which a machine boots
// and runs a container. It goes down from 384 and not by halves: a machine that
// has too little takes minutes to show it, and this way only one has.
func smallest(t *testing.T) int {
	mem := 384
	for mem > 32 && works(t, mem-32) {
		mem -= 32
	}
	return mem
}

func works(t *testing.T, mem int) bool {
	v := vm.Start(t, vm.Machine{Mem: mem})
	defer v.Kill()
	// One with too little memory thrashes and never answers.
	defer v.KillAfter(3 * time.Minute).Stop()
	if !v.Reaches("user_docker", 2*time.Minute) {
		return false
	}
	if err := v.TrySend(vm.BusyboxTar(t), "docker import - bb"); err != nil {
		return false
	}
	out, err := v.Try("docker run --rm bb /bin/echo hello")
	return err == nil && strings.Contains(out, "hello")
}
