package execute

import (
	"slices"
	"strings"
	"testing"
)

func TestADeviceIsFoundByEveryNameThatCloudsGiveIt(t *testing.T) {
	m := newMachine(t, map[string]string{
		"etc/os-release": "ID=debian\n", "dev/vdb": "", "dev/vdb1": "", "dev/vdb2": "", "dev/xvdc": "", "dev/nvme1n1": "", "dev/nvme1n1p1": "",
		"dev/disk/azure/resource": "", "dev/disk/azure/resource-part1": "", "dev/mapper/vg.1": "",
	})
	m.BlockDevices = map[string]string{"ephemeral1": "sdc", "ebs1": "/dev/sdb"}
	c := config(t, "device_aliases: {data: /dev/vdb}\n")
	for name, want := range map[string]string{
		"vdb": "/dev/vdb1", "/dev/vdb": "/dev/vdb1", "vdb.2": "/dev/vdb2", "data": "/dev/vdb1", "data.2": "/dev/vdb2",
		"ephemeral": "/dev/disk/azure/resource-part1", "ephemeral0": "/dev/disk/azure/resource-part1",
		"ephemeral0.1": "/dev/disk/azure/resource-part1", "ephemeral1": "/dev/xvdc", "ebs1": "/dev/vdb1",
		"sdc": "/dev/xvdc", "nvme1n1": "/dev/nvme1n1p1", "nvme1n1.1": "/dev/nvme1n1p1", "vdz": "/dev/vdz",
		"tmpfs": "tmpfs", "LABEL=x.1": "LABEL=x.1", "host:/export": "host:/export", "/swap.img": "/swap.img", "/dev/mapper/vg.1": "/dev/mapper/vg.1",
	} {
		if got := m.mountDevice(name, c); got != want {
			t.Errorf("mountDevice(%s) = %s, want %s", name, got, want)
		}
	}
}

func TestAutoSwapSuitsMemoryAndDisk(t *testing.T) {
	const gb = gigabyte
	for _, row := range []struct {
		name                      string
		memory, free, limit, want int64
	}{
		{"small", gb / 2, 100 * gb, 0, gb / 2},
		{"8 GB", 8 * gb, 100 * gb, 0, 4 * gb},
		{"64 GB", 64 * gb, 100 * gb, 0, 8 * gb},
		{"a quarter of the disk", 8 * gb, 8 * gb, 0, 2 * gb},
		{"the limit holds", 8 * gb, 100 * gb, gb, gb},
		{"the limit is more than the disk has", 8 * gb, gb, 4 * gb, gb / 10 * 9},
	} {
		if got := autoSwap(row.memory, row.free, row.limit); got != row.want {
			t.Errorf("%s: autoSwap() = %d MB, want %d MB", row.name, got>>20, row.want>>20)
		}
	}
}

func TestASwapFileIsMadeWhereUpstreamMakesIt(t *testing.T) {
	for _, row := range []struct{ config, file string }{
		{"swap: {size: 1M}", "swap.img"}, {"swap: {filename: /var/s, size: 1048576}", "var/s"}, {"swap: {filename: s, size: 1M}", "s"}, {"swap: {filename: /var/s}", ""}, {"swap: {filename: /var/s, size: 0}", ""},
	} {
		m := newMachine(t, debian)
		if _, err := Run(t.Context(), m.Target, config(t, row.config), Options{Only: []string{"mounts"}}); err != nil {
			t.Fatal(err)
		}
		fstab := m.read(t, "etc/fstab")
		if row.file == "" {
			if strings.Contains(fstab, "swap") || len(m.kernel.swaps) > 0 {
				t.Errorf("%s: fstab %q, swapped on %v; want no swap", row.config, fstab, m.kernel.swaps)
			}
			continue
		}
		if b := m.read(t, row.file); len(b) != 1<<20 || b[swapPage-10:swapPage] != "SWAPSPACE2" {
			t.Errorf("%s: %d bytes that are no swap", row.config, len(b))
		}
		if !strings.Contains(fstab, "/"+row.file+"\tnone\tswap\tsw,"+ourMark) || !slices.Contains(m.kernel.swaps, "/"+row.file) {
			t.Errorf("%s: fstab %q, swapped on %v", row.config, fstab, m.kernel.swaps)
		}
	}
}

func TestNTPIsConfiguredForTheClientThatIsThere(t *testing.T) {
	for _, row := range []struct {
		name   string
		files  map[string]string
		config string
		file   string
		want   []string
		ran    string
	}{
		{"chrony of Debian", map[string]string{"usr/sbin/chronyd": "#!", "etc/chrony/x": "", "usr/lib/systemd/system/chrony.service": ""},
			"ntp: {servers: [a], pools: [b], peers: [c], allow: [192.0.2.0/24]}", "etc/chrony/chrony.conf",
			[]string{"pool b iburst", "server a iburst", "peer c", "allow 192.0.2.0/24"}, "chrony.service"},
		{"chrony of Red Hat", map[string]string{"usr/sbin/chronyd": "#!", "usr/lib/systemd/system/chronyd.service": ""},
			"ntp: {servers: [a]}", "etc/chrony.conf", []string{"server a iburst"}, "chronyd.service"},
		{"timesyncd", map[string]string{"usr/lib/systemd/systemd-timesyncd": "#!", "usr/lib/systemd/system/systemd-timesyncd.service": ""},
			"ntp: {servers: [a], pools: [b]}", "etc/systemd/timesyncd.conf.d/cloud-init.conf", []string{"NTP=a b"}, "systemd-timesyncd.service"},
		{"ntpsec", map[string]string{"usr/sbin/ntpd": "#!", "etc/ntpsec/x": ""}, "ntp: {pools: [b]}", "etc/ntpsec/ntp.conf", []string{"pool b iburst"}, ""},
		{"nobody named", map[string]string{"usr/sbin/chronyd": "#!", "etc/chrony/x": ""}, "ntp: {enabled: true}", "etc/chrony/chrony.conf",
			[]string{"pool 0.debian.pool.ntp.org iburst", "pool 3.debian.pool.ntp.org iburst"}, ""},
		{"one of the user's own", map[string]string{"etc/x": ""},
			"ntp: {ntp_client: mine, servers: [a], config: {confpath: /etc/mine.conf, check_exe: mine, service_name: mine, packages: [], template: \"## template: jinja\\n{% for s in servers %}use {{ s }}{% endfor %}\\n\"}}",
			"etc/mine.conf", []string{"use a"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			files := map[string]string{"etc/os-release": "ID=debian\n", "run/systemd/system/x": "", "usr/bin/systemctl": "#!"}
			for k, v := range row.files {
				files[k] = v
			}
			m := newMachine(t, files)
			if _, err := Run(t.Context(), m.Target, config(t, row.config), Options{Only: []string{"ntp"}}); err != nil {
				t.Fatal(err)
			}
			text := m.read(t, row.file)
			for _, want := range row.want {
				if !strings.Contains(text, want+"\n") {
					t.Errorf("%s lacks %q:\n%s", row.file, want, text)
				}
			}
			if got := strings.Join(m.ran, "; "); row.ran == "" && got != "" || !strings.HasSuffix(got, row.ran) {
				t.Errorf("ran %q, want the reload of %q", got, row.ran)
			}
		})
	}
}

func TestCertificatesGoWhereTheDistributionTakesThemAndOldOnesGo(t *testing.T) {
	const pem = "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----"
	for _, row := range []struct{ name, dir, program string }{
		{"Debian", "usr/local/share/ca-certificates", "update-ca-certificates"},
		{"SUSE", "etc/pki/trust/anchors", "update-ca-certificates"},
		{"Red Hat", "etc/pki/ca-trust/source/anchors", "update-ca-trust"},
		{"Arch", "etc/ca-certificates/trust-source/anchors", "update-ca-trust"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := newMachine(t, map[string]string{"etc/os-release": "ID=x\n", row.dir + "/.keep": "", "usr/sbin/" + row.program: "#!"})
			run := func(list string) {
				t.Helper()
				if _, err := Run(t.Context(), m.Target, config(t, "ca_certs: {trusted: ["+list+"]}"), Options{Only: []string{"ca_certs"}, Again: true}); err != nil {
					t.Fatal(err)
				}
			}
			run(`"` + pem + `", "` + pem + `"`)
			if !exists(m, row.dir+"/cloud-init-ca-cert-2.crt") || !slices.Equal(m.ran, []string{row.program}) {
				t.Errorf("second certificate there: %v, ran %v", exists(m, row.dir+"/cloud-init-ca-cert-2.crt"), m.ran)
			}
			run(`"` + pem + `"`)
			if exists(m, row.dir+"/cloud-init-ca-cert-2.crt") || !exists(m, row.dir+"/cloud-init-ca-cert-1.crt") || len(m.ran) != 2 {
				t.Errorf("the config names one now; second still there: %v, ran %v", exists(m, row.dir+"/cloud-init-ca-cert-2.crt"), m.ran)
			}
		})
	}
}

func TestTheLocaleIsWrittenWhereItIsReadAndMadeWhereItIsMissing(t *testing.T) {
	m := newMachine(t, map[string]string{"etc/os-release": "ID=debian\n", "etc/locale.gen": "# de_DE.UTF-8 UTF-8\nen_US.UTF-8 UTF-8\n", "usr/sbin/locale-gen": "#!", "etc/locale.conf": ""})
	for _, locale := range []string{"de_DE.utf8", "en_US.UTF-8", "C.UTF-8"} {
		if _, err := Run(t.Context(), m.Target, config(t, "locale: "+locale), Options{Only: []string{"locale"}, Again: true}); err != nil {
			t.Fatal(err)
		}
		if got := m.read(t, "etc/locale.conf"); got != "LANG="+locale+"\n" {
			t.Errorf("locale.conf = %q", got)
		}
	}
	if got := m.read(t, "etc/locale.gen"); !strings.HasSuffix(got, "\nde_DE.UTF-8 UTF-8\n") || len(m.ran) != 1 {
		t.Errorf("locale.gen = %q, ran %v; want one line more and one run", got, m.ran)
	}
}

func TestSwapIsFoundByItsLabelAndSwitchedOnOnce(t *testing.T) {
	header := make([]byte, 8192)
	copy(header[1052:], "SWAP")
	copy(header[4086:], "SWAPSPACE2")
	m := newMachine(t, map[string]string{"sys/class/block/vdg/size": "16\n", "dev/vdg": string(header)})
	for range 2 {
		if err := mounts(t.Context(), m.Target, config(t, "mounts: [[LABEL=SWAP, none, swap, '']]\n")); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(m.kernel.swaps, []string{"/dev/vdg"}) || len(m.ran) > 0 {
		t.Errorf("swaps = %v, want /dev/vdg; ran %v", m.kernel.swaps, m.ran)
	}
	err := mounts(t.Context(), m.Target, config(t, "mounts: [[LABEL=NONE, none, swap, sw]]\n"))
	if err == nil || !strings.Contains(err.Error(), "LABEL=NONE") {
		t.Errorf("a label that is not there: %v", err)
	}
}
