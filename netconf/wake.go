package netconf

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wolMagic is WAKE_MAGIC of linux/ethtool.h.
const wolMagic = 1 << 5

// ethtoolWol is struct ethtool_wolinfo of linux/ethtool.h.
type ethtoolWol struct {
	cmd, supported, options uint32
	password                [6]byte
	_                       [2]byte
}

// ifreqData is struct ifreq with a pointer in its union.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// wakeOnLAN asks the card to wake the machine by a magic packet.
func wakeOnLAN(link string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open socket: %w", err)
	}
	defer unix.Close(fd)
	wol := ethtoolWol{cmd: unix.ETHTOOL_SWOL, options: wolMagic}
	req := ifreqData{data: unsafe.Pointer(&wol)}
	copy(req.name[:unix.IFNAMSIZ-1], link)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); e != 0 {
		return fmt.Errorf("wake-on-lan: %w", e)
	}
	return nil
}
