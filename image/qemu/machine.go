package qemu

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Machine is what to boot.
type Machine struct {
	// Out is the folder with vmlinuz, initrd and ros.iso.
	Out string
	// Memory in MiB, and virtual processors.
	Memory, CPUs int
	// KVM uses the hardware; else QEMU emulates.
	KVM bool
	// Major is QEMU's version.
	Major int
	// SSHPort on this machine leads to port 22 of the guest.
	SSHPort int
	// Tap is a link of this machine that takes the place of QEMU's own network.
	Tap string
	// MACs are the hardware addresses of the network cards, of which the first is
	// on the network and the others lead nowhere. Empty: one card.
	MACs []string
	// Disk is the file of the state disk, or "".
	Disk string
	// Cloud says what the machine believes.
	Cloud Cloud
	// Append is added to the kernel command line.
	Append string
	// Firmware boots the disk, if it has a system, or else the ISO, as a real
	// machine does: "bios", or the file of a UEFI firmware such as OVMF.fd. Empty
	// loads kernel and initrd directly.
	Firmware string
	// NoDisc leaves the ISO out: the disk has it all.
	NoDisc bool
	// Once ends QEMU where the machine would reboot.
	Once bool
	// More are more arguments of QEMU.
	More []string
}

// A Cloud is what a machine in a cloud sees.
type Cloud struct {
	// SMBIOS are arguments of -smbios.
	SMBIOS []string
	// Drives are read-only disc images.
	Drives []string
	// Metadata is a command that speaks HTTP on its standard input and output,
	// for http://169.254.169.254.
	Metadata string
}

// Args is QEMU's command line.
func (m Machine) Args() []string {
	args := []string{
		"-name", "ros", "-nodefaults", "-display", "none", "-serial", "mon:stdio",
		"-machine", "q35", "-m", strconv.Itoa(m.Memory), "-smp", strconv.Itoa(m.CPUs),
		"-device", "virtio-rng-pci",
	}
	if m.Once {
		args = append(args, "-no-reboot")
	}
	switch {
	case m.KVM:
		args = append(args, "-accel", "kvm", "-cpu", "max")
	case TooOld(m.Major):
		args = append(args, "-accel", "tcg,thread=multi", "-cpu", "max,-cx16")
	default:
		args = append(args, "-accel", "tcg,thread=multi", "-cpu", "max")
	}
	for _, s := range m.Cloud.SMBIOS {
		args = append(args, "-smbios", s)
	}
	args = append(args, m.network()...)
	if m.Disk != "" {
		// Named devices come in the order in which they stand here: this is vda.
		args = append(args, "-drive", "if=none,id=state,cache=writeback,format="+format(m.Disk)+",file="+m.Disk,
			"-device", "virtio-blk-pci,drive=state,bootindex=1")
	}
	discs := m.Cloud.Drives
	if !m.NoDisc {
		discs = append([]string{filepath.Join(m.Out, "ros.iso")}, discs...)
	}
	for n, d := range discs {
		// Firmware boots what comes first.
		args = append(args, "-drive", fmt.Sprintf("if=none,id=d%d,format=raw,readonly=on,file=%s", n, d),
			"-device", fmt.Sprintf("virtio-blk-pci,drive=d%d,bootindex=%d", n, 10+n))
	}
	return append(append(args, m.start()...), m.More...)
}

// network is the cards and what they are plugged into.
func (m Machine) network() []string {
	netdev := "tap,id=n0,script=no,downscript=no,ifname=" + m.Tap
	if m.Tap == "" {
		netdev = fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:22", m.SSHPort)
		if m.Cloud.Metadata != "" {
			// slirp forwards only addresses of its own network.
			netdev += ",net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:" + m.Cloud.Metadata
		}
	}
	args := []string{"-netdev", netdev}
	for i, mac := range slices.Concat(m.MACs, []string{""})[:max(1, len(m.MACs))] {
		card := "virtio-net-pci"
		if i == 0 {
			card += ",netdev=n0"
		}
		if mac != "" {
			card += ",mac=" + mac
		}
		args = append(args, "-device", card)
	}
	return args
}

// start is how the machine comes to its kernel.
func (m Machine) start() []string {
	switch m.Firmware {
	case "":
		return []string{"-kernel", filepath.Join(m.Out, "vmlinuz"), "-initrd", filepath.Join(m.Out, "initrd"), "-append", m.cmdline()}
	case "bios":
		return nil
	}
	return []string{"-bios", m.Firmware}
}

func format(disk string) string {
	if strings.HasSuffix(disk, ".qcow2") {
		return "qcow2"
	}
	return "raw"
}

func (m Machine) cmdline() string {
	// A starved virtual processor makes the kernel think that its timer is broken.
	line := "console=ttyS0 panic=10 loglevel=6 no_timer_check"
	if m.Disk != "" {
		line += " rancher.state.dev=LABEL=RANCHER_STATE rancher.state.autoformat=[/dev/vda]"
	}
	return strings.TrimSpace(line + " " + m.Append)
}
