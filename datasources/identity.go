package datasources

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// IdentityOf is what tells this machine from others once in has been fetched.
func IdentityOf(h *Host, in *Instance) Identity {
	return Identity{
		Datasource: in.Datasource,
		InstanceID: in.ID,
		SystemUUID: systemUUID(h),
		Serial:     systemSerial(h),
		Drive:      in.Drive,
	}
}

// nobodys are UUIDs that makers leave in the firmware of many machines.
var nobodys = []string{
	"00000000-0000-0000-0000-000000000000",
	"ffffffff-ffff-ffff-ffff-ffffffffffff",
	"03000200-0400-0500-0006-000700080009",
}

// unset are serial numbers that say that nobody has set one.
var unset = []string{"0", "none", "default string", "not specified", "not applicable", "system serial number", "to be filled by o.e.m."}

// systemUUID is the firmware's UUID in lower case; "" if it is not this
// machine's own.
func systemUUID(h *Host) string {
	id := strings.ToLower(h.DMI("product_uuid"))
	if slices.Contains(nobodys, id) {
		return ""
	}
	return id
}

// systemSerial is the firmware's serial number; "" if it is none.
func systemSerial(h *Host) string {
	serial := h.DMI("product_serial")
	if slices.Contains(unset, strings.ToLower(serial)) {
		return ""
	}
	return serial
}

// SameDMI says whether the firmware shows the machine that was saved. Without
// any identity in the firmware it is not known, and that is no.
func SameDMI(h *Host, saved Identity) bool {
	uuid, serial := systemUUID(h), systemSerial(h)
	if uuid == "" && serial == "" {
		return false
	}
	return uuid == strings.ToLower(saved.SystemUUID) && serial == saved.Serial
}

// FallbackID is the ID of an instance whose datasource has none: the firmware's,
// else one made of where the user-data came from.
func FallbackID(h *Host, from string) string {
	if id := systemUUID(h); id != "" {
		return id
	}
	sum := sha256.Sum256([]byte(from))
	return "iid-" + hex.EncodeToString(sum[:8])
}
