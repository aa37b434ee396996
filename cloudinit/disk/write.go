package disk

import (
	"crypto/rand"
	"fmt"
	"strconv"
)

// Write divides a disk afresh. What a Part's Type leaves empty is a Linux file
// system.
func Write(d Device, g Geometry, kind string, parts []Part) error {
	if kind == MBR {
		return writeMBR(d, g, parts)
	}
	raw := make([]byte, g.Sector)
	copy(raw, "EFI PART")
	le.PutUint32(raw[8:], 0x00010000)
	le.PutUint32(raw[12:], 92)
	h := &header{raw: raw, entries: make([]byte, entryCount*entrySize), count: entryCount, size: entrySize}
	le.PutUint64(raw[40:], 2+h.entrySectors(g))
	id, err := newGUID()
	if err != nil {
		return err
	}
	copy(raw[56:], id)
	le.PutUint32(raw[80:], entryCount)
	le.PutUint32(raw[84:], entrySize)
	for i, p := range parts {
		if p.Type == "" {
			p.Type = LinuxFS
		}
		kind, err := parseGUID(p.Type)
		if err != nil {
			return err
		}
		own, err := newGUID()
		if err != nil {
			return err
		}
		e := h.entries[i*entrySize:]
		copy(e, kind)
		copy(e[16:], own)
		le.PutUint64(e[32:], p.Start)
		le.PutUint64(e[40:], p.Start+p.Sectors-1)
	}
	if err := h.write(d, g); err != nil {
		return err
	}
	m := make([]byte, 512)
	e := m[mbrParts:]
	e[4] = 0xee
	le.PutUint32(e[8:], 1)
	le.PutUint32(e[12:], uint32(min(g.Sectors-1, 1<<32-1)))
	m[510], m[511] = 0x55, 0xaa
	_, err = d.WriteAt(m, 0)
	return err
}

func writeMBR(d Device, g Geometry, parts []Part) error {
	if len(parts) > 4 {
		return fmt.Errorf("an MBR holds 4 partitions, not %d; use a GPT", len(parts))
	}
	m := make([]byte, 512)
	if _, err := rand.Read(m[440:444]); err != nil {
		return err
	}
	for i, p := range parts {
		if p.Type == "" {
			p.Type = "83"
		}
		kind, err := strconv.ParseUint(p.Type, 16, 8)
		if err != nil {
			return fmt.Errorf("%q is no type of a partition on an MBR; write two hex digits", p.Type)
		}
		e := m[mbrParts+16*i:]
		e[4] = byte(kind)
		le.PutUint32(e[8:], uint32(p.Start))
		le.PutUint32(e[12:], uint32(min(p.Sectors, 1<<32-1)))
	}
	m[510], m[511] = 0x55, 0xaa
	if _, err := d.WriteAt(m, 0); err != nil {
		return fmt.Errorf("write the MBR: %w", err)
	}
	return nil
}

// Divide is the partitions of a disk that is shared out by percents; they
// begin at whole megabytes.
func Divide(g Geometry, kind string, percents []int, types []string) ([]Part, error) {
	sum := 0
	for _, p := range percents {
		if p <= 0 {
			return nil, fmt.Errorf("%d percent is no share of a disk", p)
		}
		sum += p
	}
	if sum > 100 {
		return nil, fmt.Errorf("the shares make %d percent", sum)
	}
	unit := uint64(align / g.Sector)
	first, end := unit, g.Sectors
	if kind == GPT {
		end -= 1 + (entryCount*entrySize+uint64(g.Sector)-1)/uint64(g.Sector)
	}
	if end < first+unit {
		return nil, fmt.Errorf("the disk is too small to be divided")
	}
	var parts []Part
	at := first
	sum = 0
	for i, p := range percents {
		sum += p
		stop := first + (end-first)*uint64(sum)/100
		if sum < 100 {
			stop = stop / unit * unit
		}
		if stop <= at {
			return nil, fmt.Errorf("partition %d would be empty", i+1)
		}
		parts = append(parts, Part{i + 1, at, stop - at, types[i]})
		at = stop
	}
	return parts, nil
}

// Clear takes the partition tables off a disk.
func Clear(d Device, g Geometry) error {
	zeros := make([]byte, 34*g.Sector)
	if _, err := d.WriteAt(zeros, 0); err != nil {
		return err
	}
	tail := 33 * g.Sector
	_, err := d.WriteAt(zeros[:tail], int64(g.Sectors)*g.Sector-tail)
	return err
}
