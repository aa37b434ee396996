package nocloud

import (
	"strings"

	"rancheros/datasources"
)

// dmiKeys are cloud-init's names of firmware strings, and the kernel's.
var dmiKeys = [][2]string{
	{"baseboard-asset-tag", "board_asset_tag"},
	{"baseboard-manufacturer", "board_vendor"},
	{"baseboard-product-name", "board_name"},
	{"baseboard-serial-number", "board_serial"},
	{"baseboard-version", "board_version"},
	{"bios-release-date", "bios_date"},
	{"bios-vendor", "bios_vendor"},
	{"bios-version", "bios_version"},
	{"chassis-asset-tag", "chassis_asset_tag"},
	{"chassis-manufacturer", "chassis_vendor"},
	{"chassis-serial-number", "chassis_serial"},
	{"chassis-version", "chassis_version"},
	{"system-manufacturer", "sys_vendor"},
	{"system-product-name", "product_name"},
	{"system-serial-number", "product_serial"},
	{"system-uuid", "product_uuid"},
	{"system-version", "product_version"},
}

// expand replaces __dmi.system-uuid__ by what the firmware says.
func expand(h *datasources.Host, s string) string {
	for _, k := range dmiKeys {
		if token := "__dmi." + k[0] + "__"; strings.Contains(s, token) {
			s = strings.ReplaceAll(s, token, h.DMI(k[1]))
		}
	}
	return s
}
