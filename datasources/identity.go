package datasources

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// IdentityOf is what tells this machine from others once in has been fetched.
func IdentityOf(h *Host, in *Instance) Identity {
	return Identity{
		Datasource: in.Datasource,
		InstanceID: in.ID,
		SystemUUID: strings.ToLower(h.DMI("product_uuid")),
		Serial:     h.DMI("product_serial"),
		Drive:      in.Drive,
	}
}

// SameDMI says whether the firmware shows the machine that was saved. Without
// any identity in the firmware it is not known, and that is no.
func SameDMI(h *Host, saved Identity) bool {
	uuid, serial := strings.ToLower(h.DMI("product_uuid")), h.DMI("product_serial")
	if uuid == "" && serial == "" {
		return false
	}
	return uuid == strings.ToLower(saved.SystemUUID) && serial == saved.Serial
}

// FallbackID is the ID of an instance whose datasource has none: the firmware's,
// else one made of where the user-data came from.
func FallbackID(h *Host, from string) string {
	if id := strings.ToLower(h.DMI("product_uuid")); id != "" {
		return id
	}
	sum := sha256.Sum256([]byte(from))
	return "iid-" + hex.EncodeToString(sum[:8])
}
