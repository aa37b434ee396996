package datasources

// cpuVendor is the hypervisor's name in CPUID leaf 0x40000000, "" on bare
// metal.
func cpuVendor() string {
	_, _, c, _ := cpuid(1)
	if c&(1<<31) == 0 { // no hypervisor is present
		return ""
	}
	_, b, c, d := cpuid(0x40000000)
	var name []byte
	for _, r := range []uint32{b, c, d} {
		for range 4 {
			if r&0xff != 0 {
				name = append(name, byte(r))
			}
			r >>= 8
		}
	}
	return string(name)
}

func cpuid(leaf uint32) (a, b, c, d uint32)
