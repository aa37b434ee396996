package drive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf16"
)

// Limits of an iso9660 file system, far above any drive that a cloud makes.
const (
	isoSector     = 2048
	isoMaxDir     = 1 << 20 // bytes of one folder
	isoMaxDepth   = 16
	isoMaxVolumes = 32
	isoMaxAreas   = 8 // continuation areas of one entry
)

// iso is an iso9660 file system with Rock Ridge or Joliet names (ECMA-119,
// IEEE P1282), or with plain ones.
type iso struct {
	dev    io.ReaderAt
	size   int64
	root   isoEntry
	joliet bool
	skip   int // bytes before each system use field (SUSP's SP)
}

// An isoEntry is a file or folder.
type isoEntry struct {
	name  string
	start int64 // byte
	size  int64
	dir   bool
	other bool // a symbolic link or device
}

// readISO reads the volume descriptors. Rock Ridge goes before Joliet, because
// Joliet cuts names at 64 characters.
func readISO(dev io.ReaderAt, size int64) (*iso, error) {
	f := &iso{dev: dev, size: size}
	var joliet *isoEntry
	found := false
	for i := range int64(isoMaxVolumes) {
		v := make([]byte, isoSector)
		if _, err := dev.ReadAt(v, (16+i)*isoSector); err != nil {
			break
		}
		if string(v[1:6]) != "CD001" || v[0] == 255 {
			break
		}
		root, _, err := isoRecord(v[156:190])
		if err != nil {
			continue
		}
		switch {
		case v[0] == 1 && !found:
			f.root, found = root, true
		case v[0] == 2 && slices.Contains([]string{"%/@", "%/C", "%/E"}, string(v[88:91])):
			joliet = &root
		}
	}
	if !found {
		return nil, errors.New("no volume descriptor")
	}
	if !f.rockRidge() && joliet != nil {
		f.root, f.joliet = *joliet, true
	}
	return f, nil
}

// rockRidge looks at the root folder's first entry for SUSP's SP, which says
// that system use fields are there.
func (f *iso) rockRidge() bool {
	b := make([]byte, isoSector)
	if _, err := f.dev.ReadAt(b, f.root.start); err != nil {
		return false
	}
	_, use, err := isoRecord(b)
	if err != nil || len(use) < 7 || string(use[:2]) != "SP" || use[4] != 0xBE || use[5] != 0xEF {
		return false
	}
	f.skip = int(use[6])
	return true
}

// isoRecord reads one directory record: the entry, with its name raw, and the
// system use field.
func isoRecord(b []byte) (isoEntry, []byte, error) {
	if len(b) < 34 || int(b[0]) < 34 || int(b[0]) > len(b) {
		return isoEntry{}, nil, errors.New("directory record is cut")
	}
	b = b[:b[0]]
	end := 33 + int(b[32])
	if end > len(b) {
		return isoEntry{}, nil, errors.New("name is longer than its record")
	}
	e := isoEntry{
		name:  string(b[33:end]),
		start: int64(binary.LittleEndian.Uint32(b[2:])) * isoSector,
		size:  int64(binary.LittleEndian.Uint32(b[10:])),
		dir:   b[25]&2 != 0,
		other: b[25]&0x84 != 0, // an associated file, or a file of several parts
	}
	return e, b[min(end+end%2, len(b)):], nil
}

// entries lists a folder.
func (f *iso) entries(dir isoEntry) ([]isoEntry, error) {
	if dir.size > isoMaxDir {
		return nil, fmt.Errorf("folder of %d bytes", dir.size)
	}
	b := make([]byte, dir.size)
	if _, err := f.dev.ReadAt(b, dir.start); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	var found []isoEntry
	for at := 0; at < len(b); {
		if b[at] == 0 { // records do not cross sectors
			at = (at/isoSector + 1) * isoSector
			continue
		}
		e, use, err := isoRecord(b[at:])
		if err != nil {
			return nil, err
		}
		at += int(b[at])
		if e.name == "\x00" || e.name == "\x01" { // itself and its parent
			continue
		}
		f.nameIt(&e, use)
		found = append(found, e)
	}
	return found, nil
}

// nameIt finds the name that the person who made the drive gave.
func (f *iso) nameIt(e *isoEntry, use []byte) {
	if f.joliet {
		units := make([]uint16, 0, len(e.name)/2)
		for i := 0; i+1 < len(e.name); i += 2 {
			units = append(units, binary.BigEndian.Uint16([]byte(e.name[i:i+2])))
		}
		e.name = string(utf16.Decode(units))
	}
	e.name, _, _ = strings.Cut(e.name, ";")
	if !f.joliet {
		e.name = strings.TrimSuffix(e.name, ".")
	}
	if len(use) > f.skip {
		f.systemUse(e, use[f.skip:])
	}
}

// systemUse reads the Rock Ridge fields of an entry: NM is its name, SL makes it
// a link, CE says where more fields are.
func (f *iso) systemUse(e *isoEntry, use []byte) {
	var name strings.Builder
	for areas := 0; len(use) >= 4; {
		n := int(use[2])
		if n < 4 || n > len(use) {
			break
		}
		field := use[:n]
		use = use[n:]
		switch string(field[:2]) {
		case "NM":
			if n > 5 && field[4]&6 == 0 && name.Len() < 1024 {
				name.Write(field[5:])
			}
		case "SL":
			e.other = true
		case "CE":
			if areas++; n < 28 || areas > isoMaxAreas {
				continue
			}
			le := binary.LittleEndian
			more := make([]byte, min(le.Uint32(field[20:]), isoSector))
			at := int64(le.Uint32(field[4:]))*isoSector + int64(le.Uint32(field[12:]))
			if _, err := f.dev.ReadAt(more, at); err == nil {
				use = append(slices.Clone(use), more...)
			}
		}
	}
	if name.Len() > 0 {
		e.name = name.String()
	}
}

// find walks to a file or folder.
func (f *iso) find(name string) (isoEntry, error) {
	at := f.root
	if name == "" {
		return at, nil
	}
	parts := strings.Split(name, "/")
	if len(parts) > isoMaxDepth {
		return at, fmt.Errorf("more than %d folders deep", isoMaxDepth)
	}
	for _, part := range parts {
		if !at.dir {
			return at, fs.ErrNotExist
		}
		entries, err := f.entries(at)
		if err != nil {
			return at, err
		}
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.name
		}
		found, ok := pick(names, part)
		if !ok {
			return at, fs.ErrNotExist
		}
		at = entries[slices.Index(names, found)]
	}
	return at, nil
}

func (f *iso) open(name string) (io.Reader, error) {
	e, err := f.find(name)
	if err != nil {
		return nil, err
	}
	switch {
	case e.dir:
		return nil, errors.New("is a folder")
	case e.other:
		return nil, errors.New("is no regular file")
	case e.start+e.size > f.size:
		return nil, fmt.Errorf("lies outside of the drive: %w", io.ErrUnexpectedEOF)
	}
	return io.NewSectionReader(f.dev, e.start, e.size), nil
}

func (f *iso) list(dir string) ([]string, error) {
	e, err := f.find(dir)
	if err != nil {
		return nil, err
	}
	if !e.dir {
		return nil, errors.New("is no folder")
	}
	entries, err := f.entries(e)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.dir {
			e.name += "/"
		}
		names = append(names, e.name)
	}
	return names, nil
}
