package blkdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Super is what a superblock says.
type Super struct{ FSType, Label, LabelFATBoot, UUID string }

// headBytes hold every superblock that is not at the end.
const headBytes = 68 << 10

var le, be = binary.LittleEndian, binary.BigEndian

// probes in order: what may lie around a file system goes before it, because a
// mirror's members look like the file system on it.
var probes = []func(head []byte) Super{
	probeMD, probeLUKS, probeLVM, probeXFS, probeExt, probeBtrfs, probeSquashfs, probeSwap,
	probeISO, probeNTFS, probeUDF,
}

// Superblock looks at what is on a device or image of size bytes. Nothing known
// is the zero Super and no error.
func Superblock(r io.ReaderAt, size int64) (Super, error) {
	head := make([]byte, headBytes)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) && n == 0 {
		return Super{}, err
	}
	if s := probeMDEnd(r, size); s.FSType != "" {
		return s, nil
	}
	for _, probe := range probes {
		if s := probe(head); s.FSType != "" {
			return s, nil
		}
	}
	return probeFAT(r, head), nil
}

func has(head []byte, at int, magic string) bool {
	return at+len(magic) <= len(head) && string(head[at:at+len(magic)]) == magic
}

// text is a string in a field that is padded with zeros or blanks.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.TrimRight(string(b), " ")
}

func uuid(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func probeExt(head []byte) Super {
	const sb = 1024
	if le.Uint16(head[sb+0x38:]) != 0xEF53 {
		return Super{}
	}
	s := Super{FSType: "ext2", Label: text(head[sb+0x78 : sb+0x88]), UUID: uuid(head[sb+0x68:])}
	compat, incompat, rocompat := le.Uint32(head[sb+0x5C:]), le.Uint32(head[sb+0x60:]), le.Uint32(head[sb+0x64:])
	switch {
	case incompat&8 != 0:
		s.FSType = "jbd" // a journal of its own
	case incompat&^uint32(0x16) != 0 || rocompat&^uint32(0x7) != 0:
		s.FSType = "ext4"
	case compat&4 != 0:
		s.FSType = "ext3"
	}
	return s
}

func probeXFS(head []byte) Super {
	if !has(head, 0, "XFSB") {
		return Super{}
	}
	return Super{FSType: "xfs", Label: text(head[108:120]), UUID: uuid(head[32:])}
}

func probeBtrfs(head []byte) Super {
	const sb = 64 << 10
	if !has(head, sb+0x40, "_BHRfS_M") {
		return Super{}
	}
	return Super{FSType: "btrfs", Label: text(head[sb+0x12B : sb+0x22B]), UUID: uuid(head[sb+0x20:])}
}

func probeSquashfs(head []byte) Super {
	if !has(head, 0, "hsqs") {
		return Super{}
	}
	return Super{FSType: "squashfs"}
}

func probeSwap(head []byte) Super {
	if !has(head, 4086, "SWAPSPACE2") {
		return Super{}
	}
	return Super{FSType: "swap", UUID: uuid(head[1036:]), Label: text(head[1052:1068])}
}

func probeLUKS(head []byte) Super {
	if !has(head, 0, "LUKS\xba\xbe") {
		return Super{}
	}
	s := Super{FSType: "crypto_LUKS", UUID: text(head[168:208])}
	if be.Uint16(head[6:]) == 2 {
		s.Label = text(head[24:72])
	}
	return s
}

func probeLVM(head []byte) Super {
	for at := 0; at < 4*512; at += 512 {
		if has(head, at, "LABELONE") && has(head, at+24, "LVM2 001") {
			id := string(head[at+32 : at+64])
			// LVM groups the 32 characters as 6-4-4-4-4-4-6.
			var parts []string
			for _, n := range []int{6, 4, 4, 4, 4, 4, 6} {
				parts, id = append(parts, id[:n]), id[n:]
			}
			return Super{FSType: "LVM2_member", UUID: strings.Join(parts, "-")}
		}
	}
	return Super{}
}

const mdMagic = 0xa92b4efc

// probeMD finds metadata 1.1 and 1.2 of a software RAID.
func probeMD(head []byte) Super {
	for _, at := range []int{0, 4096} {
		if le.Uint32(head[at:]) == mdMagic && le.Uint32(head[at+4:]) == 1 {
			return mdSuper(head[at:])
		}
	}
	return Super{}
}

// probeMDEnd finds metadata 1.0 and 0.90, which lie at the end.
func probeMDEnd(r io.ReaderAt, size int64) Super {
	b := make([]byte, 64)
	read := func(at int64) bool {
		if at <= 0 {
			return false
		}
		_, err := r.ReadAt(b, at)
		return err == nil && le.Uint32(b) == mdMagic
	}
	if read((size/512-16)&^7*512) && le.Uint32(b[4:]) == 1 {
		return mdSuper(b)
	}
	if read(size&^0xffff-0x10000) && le.Uint32(b[4:]) == 0 {
		id := make([]byte, 16)
		for i, at := range []int{20, 52, 56, 60} { // set_uuid0 to 3, host order
			be.PutUint32(id[i*4:], le.Uint32(b[at:]))
		}
		return Super{FSType: "linux_raid_member", UUID: uuid(id)}
	}
	return Super{}
}

func mdSuper(b []byte) Super {
	return Super{FSType: "linux_raid_member", UUID: uuid(b[16:]), Label: text(b[32:64])}
}

func probeISO(head []byte) Super {
	const pvd = 32 << 10
	if !has(head, pvd+1, "CD001") {
		return Super{}
	}
	s := Super{FSType: "iso9660", Label: text(head[pvd+40 : pvd+72])}
	for _, at := range []int{pvd + 830, pvd + 813} { // when it was changed, when made
		if d := string(head[at : at+16]); strings.Trim(d, "0\x00") != "" && strings.Trim(d, "0123456789") == "" {
			s.UUID = strings.Join([]string{d[:4], d[4:6], d[6:8], d[8:10], d[10:12], d[12:14], d[14:16]}, "-")
			break
		}
	}
	return s
}

func probeNTFS(head []byte) Super {
	if !has(head, 3, "NTFS    ") {
		return Super{}
	}
	return Super{FSType: "ntfs", UUID: fmt.Sprintf("%016X", le.Uint64(head[72:]))}
}

func probeUDF(head []byte) Super {
	for at := 32 << 10; at+2048 <= len(head); at += 2048 {
		if has(head, at+1, "NSR02") || has(head, at+1, "NSR03") {
			return Super{FSType: "udf"}
		}
	}
	return Super{}
}
