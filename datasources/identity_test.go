package datasources

import "testing"

const dmiDir = "sys/class/dmi/id/"

func TestWhatMakersLeaveInFirmwareIsNobodysIdentity(t *testing.T) {
	const own = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	tests := []struct {
		name, uuid, serial string
		same               bool
		id                 string
	}{
		{"own UUID", own, "", true, own},
		{"own UUID in upper case", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "Not Specified", true, own},
		{"own serial", "00000000-0000-0000-0000-000000000000", "S1", true, ""},
		{"zeros", "00000000-0000-0000-0000-000000000000", "", false, ""},
		{"ones", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "0", false, ""},
		{"a maker's default", "03000200-0400-0500-0006-000700080009", "To Be Filled By O.E.M.", false, ""},
		{"nothing", "", "", false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := host(map[string]string{dmiDir + "product_uuid": tt.uuid, dmiDir + "product_serial": tt.serial})
			saved := IdentityOf(h, &Instance{ID: "i-1"})
			if got := SameDMI(h, saved); got != tt.same {
				t.Errorf("SameDMI() = %t, want %t", got, tt.same)
			}
			if tt.id == "" {
				tt.id = FallbackID(host(nil), "here")
			}
			if got := FallbackID(h, "here"); got != tt.id {
				t.Errorf("FallbackID() = %s, want %s", got, tt.id)
			}
		})
	}
}
