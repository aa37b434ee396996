package blkdev

import (
	"fmt"
	"io"
	"strings"
)

// maxRootDir is how much of a FAT's root folder is searched for its label; it
// is the first entry where any usual tool made it.
const maxRootDir = 64 << 10

// probeFAT reads FAT 12, 16 and 32.
func probeFAT(r io.ReaderAt, head []byte) Super {
	sector, per, reserved := int64(le.Uint16(head[11:])), int64(head[13]), int64(le.Uint16(head[14:]))
	fats, rootEntries := int64(head[16]), int64(le.Uint16(head[17:]))
	switch {
	case head[510] != 0x55 || head[511] != 0xAA,
		head[0] != 0xEB && head[0] != 0xE9,
		sector < 512 || sector > 4096 || sector&(sector-1) != 0,
		per == 0 || per&(per-1) != 0,
		reserved == 0 || fats == 0 || fats > 2,
		head[21] < 0xF8 && head[21] != 0xF0: // the medium's kind
		return Super{}
	}
	var s Super
	var root, length int64
	if table := int64(le.Uint16(head[22:])); table > 0 { // FAT 12 and 16
		if !has(head, 54, "FAT") {
			return Super{}
		}
		s = fatSuper(head[39:])
		root, length = (reserved+fats*table)*sector, rootEntries*32
	} else { // FAT 32
		if !has(head, 82, "FAT32") {
			return Super{}
		}
		s = fatSuper(head[67:])
		table := int64(le.Uint32(head[36:]))
		first := int64(le.Uint32(head[44:]))
		if first < 2 {
			return s
		}
		root, length = (reserved+fats*table+(first-2)*per)*sector, per*sector
	}
	s.Label = rootLabel(r, root, min(length, maxRootDir))
	return s
}

// fatSuper reads serial number and label as they follow in the boot sector.
func fatSuper(b []byte) Super {
	s := Super{
		FSType: "vfat",
		UUID:   fmt.Sprintf("%04X-%04X", le.Uint16(b[2:]), le.Uint16(b[0:])),
	}
	if label := fatLabel(b[4:15]); label != "NO NAME" {
		s.LabelFATBoot = label
	}
	return s
}

// rootLabel finds the entry of the root folder that is the volume's label.
func rootLabel(r io.ReaderAt, at, length int64) string {
	dir := make([]byte, length)
	n, _ := r.ReadAt(dir, at)
	for dir = dir[:n]; len(dir) >= 32; dir = dir[32:] {
		const long, label, folder = 0x0F, 0x08, 0x10
		switch attr := dir[11]; {
		case dir[0] == 0:
			return ""
		case dir[0] == 0xE5, attr&0x3F == long, attr&(label|folder) != label:
		default:
			return fatLabel(dir[:11])
		}
	}
	return ""
}

func fatLabel(b []byte) string {
	return strings.TrimRight(text(b), " ")
}
