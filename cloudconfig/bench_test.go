package cloudconfig

import (
	"fmt"
	"strings"
	"testing"

	"rancheros/paths"
)

func BenchmarkLoad(b *testing.B) {
	var services strings.Builder
	for i := range 15 {
		fmt.Fprintf(&services, `
    service%d:
      image: rancheros/os-base:v1
      command: run --flag
      privileged: true
      net: host
      restart: always
      labels: {io.rancher.os.scope: system, io.rancher.os.after: network}
      volumes: [/dev:/host/dev, /lib/modules:/lib/modules, /var/log:/var/log]
`, i)
	}
	root := machine(b, map[string]string{
		paths.OSConfig:       "rancher:\n  services:" + services.String(),
		paths.UserDataConfig: "ssh_authorized_keys: [a, b]\nwrite_files:\n- path: /a\n  content: |\n" + strings.Repeat("    line\n", 200),
		paths.LocalConfig:    "rancher:\n  services_include: {a: true}\n",
		"proc/cmdline":       "quiet rancher.debug console=ttyS0",
	})
	for b.Loop() {
		if _, _, err := Load(root); err != nil {
			b.Fatal(err)
		}
	}
}
