package image

import (
	"strings"

	"rancheros/image/tree"
)

// busyboxNames are the programs of Debian's busybox that an image may have: not
// those that start or stop a machine, that ros does itself, or that belong to
// other packagers.
const busyboxNames = `[[ adjtimex ar arch arp arping base64 basename bc blkdiscard blkid blockdev brctl bunzip2
bzcat bzip2 cal chgrp chroot clear cmp cpio crc32 dc df diff dirname dnsdomainname dos2unix du ed egrep
expand expr factor fallocate fdisk fgrep findfs fold free ftpget ftpput getopt groups gunzip hexdump hostid hostname
hwclock ifconfig ionice ipcalc kill killall last link logger logname losetup lsmod lsscsi lzcat lzma md5sum microcom
mkdosfs mkfifo mknod mkpasswd mkswap more mt nameif nbd-client nc netstat nl nproc nsenter nslookup od partprobe paste
patch pidof pwd renice reset rev rmmod route run-parts seq setpriv setsid sha1sum sha3sum sha512sum shred shuf split
start-stop-daemon strings swapoff swapon sync sysctl tac taskset tc telnet tftp time traceroute traceroute6 true false truncate
ts tty tunctl unexpand uniq unix2dos unlink unlzma unshare unxz unzip uptime usleep uudecode uuencode vconfig vi watch which who
whoami xargs xxd xz xzcat yes zcat`

// addBusybox links the names that no other package has to busybox.
func addBusybox(t *tree.Tree) {
	e := t.Get("usr/bin/busybox")
	if e == nil {
		return
	}
	for name := range strings.FieldsSeq(busyboxNames) {
		if t.Get("usr/bin/"+name) == nil && t.Get("usr/sbin/"+name) == nil {
			t.AddLink("usr/bin/"+name, "busybox", e.Origin)
		}
	}
}
