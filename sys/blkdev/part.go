package blkdev

import (
	"fmt"
	"io"
	"os"
)

// partUUID reads the UUID of a partition from its disk's table, as the kernel
// names it: of a GPT the entry's own, of an MBR the disk's number and the
// partition's.
func partUUID(disk string, part int) string {
	f, err := os.Open(disk)
	if err != nil {
		return ""
	}
	defer f.Close()
	return tableUUID(f, part)
}

func tableUUID(r io.ReaderAt, part int) string {
	mbr := make([]byte, 512)
	if _, err := r.ReadAt(mbr, 0); err != nil || mbr[510] != 0x55 || mbr[511] != 0xAA {
		return ""
	}
	for _, sector := range []int64{512, 4096} {
		header := make([]byte, 92)
		if _, err := r.ReadAt(header, sector); err != nil || !has(header, 0, "EFI PART") {
			continue
		}
		size := int64(le.Uint32(header[84:]))
		if part < 1 || uint32(part) > le.Uint32(header[80:]) || size < 128 || size > 4096 {
			return ""
		}
		entry := make([]byte, 32)
		at := int64(le.Uint64(header[72:]))
		if at < 0 || at > 1<<40 {
			return ""
		}
		if _, err := r.ReadAt(entry, at*sector+int64(part-1)*size); err != nil {
			return ""
		}
		return guid(entry[16:])
	}
	if id := le.Uint32(mbr[440:]); id != 0 {
		return fmt.Sprintf("%08x-%02x", id, part)
	}
	return ""
}

// guid is a UUID as GPT stores it: the first three groups little-endian.
func guid(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}
