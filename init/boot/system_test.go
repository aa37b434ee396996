package boot

import (
	"strings"
	"testing"
)

func TestSysctlOfALinkWithADotInItsName(t *testing.T) {
	for _, key := range []string{"net.ipv4.conf.nolink/7.forwarding", "net/ipv4/conf/nolink.7/forwarding"} {
		err := setSysctl(key, "1")
		if err == nil || !strings.Contains(err.Error(), "/proc/sys/net/ipv4/conf/nolink.7/forwarding") {
			t.Errorf("setSysctl(%q) = %v, want the file of the link nolink.7", key, err)
		}
	}
}
