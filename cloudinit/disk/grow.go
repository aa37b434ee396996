package disk

import (
	"errors"
	"fmt"
)

// Grow makes partition number as large as the space behind it allows. gained
// is how many sectors that was; 0 when it was not worth it, and then nothing
// is written.
func Grow(d Device, g Geometry, number int) (part Part, gained uint64, err error) {
	kind, parts, err := Read(d, g)
	if err != nil {
		return part, 0, err
	}
	found := false
	for _, p := range parts {
		if p.Number == number {
			part, found = p, true
		}
	}
	if !found {
		return part, 0, fmt.Errorf("there is no partition %d", number)
	}
	end, err := limit(d, g, kind, parts, part)
	if err != nil {
		return part, 0, err
	}
	old := part.Start + part.Sectors
	if end <= old || int64(end-old)*g.Sector < minGain {
		return part, 0, nil
	}
	part.Sectors = end - part.Start
	if kind == GPT {
		err = growGPT(d, g, part)
	} else {
		err = growMBR(d, part)
	}
	return part, end - old, err
}

// limit is the sector before which a partition must end.
func limit(d Device, g Geometry, kind string, parts []Part, part Part) (uint64, error) {
	end := min(g.Sectors, 1<<32-1)
	if kind == GPT {
		h, err := readHeader(d, g)
		if err != nil {
			return 0, err
		}
		end = g.Sectors - 1 - h.entrySectors(g)
	}
	for _, p := range parts {
		if p.Start > part.Start {
			end = min(end, p.Start)
		}
		if kind == MBR && (p.Type == "05" || p.Type == "0f" || p.Type == "85") && p.Number == part.Number {
			return 0, errors.New("an extended partition does not grow")
		}
	}
	return end, nil
}

func growGPT(d Device, g Geometry, part Part) error {
	h, err := readHeader(d, g)
	if err != nil {
		return err
	}
	e := h.entries[uint32(part.Number-1)*h.size:]
	le.PutUint64(e[40:], part.Start+part.Sectors-1)
	if err := h.write(d, g); err != nil {
		return err
	}
	// The MBR in front says how large the disk is, for tools that know no GPT.
	m := make([]byte, 512)
	if _, err := d.ReadAt(m, 0); err != nil {
		return err
	}
	if m[mbrParts+4] == 0xee {
		le.PutUint32(m[mbrParts+12:], uint32(min(g.Sectors-1, 1<<32-1)))
		_, err = d.WriteAt(m, 0)
	}
	return err
}

func growMBR(d Device, part Part) error {
	m, err := readMBR(d)
	if err != nil {
		return err
	}
	le.PutUint32(m[mbrParts+16*(part.Number-1)+12:], uint32(part.Sectors))
	_, err = d.WriteAt(m, 0)
	return err
}
