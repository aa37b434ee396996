// Package disk divides disks: it writes partition tables and lets a partition
// grow into the free space behind it, GPT and MBR, without a tool.
//
// GPT: UEFI specification 2.10, chapter 5.
package disk

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Device is a disk: an open block device or an image file.
type Device interface {
	io.ReaderAt
	io.WriterAt
}

// Geometry is the size of a disk.
type Geometry struct {
	// Sector is the size of a logical sector in bytes: 512 or 4096.
	Sector int64
	// Sectors is how many there are.
	Sectors uint64
}

// Kinds of tables.
const (
	GPT = "gpt"
	MBR = "mbr"
)

// A Part is one partition.
type Part struct {
	Number int
	// Start and Sectors are in sectors.
	Start, Sectors uint64
	// Type is a GUID on a GPT, two hex digits on an MBR.
	Type string
}

// ErrNoTable says that a disk has no partition table.
var ErrNoTable = errors.New("there is no partition table")

var le = binary.LittleEndian

const (
	align      = 1 << 20
	entrySize  = 128
	entryCount = 128
	mbrParts   = 446
	// minGain: a few sectors at the end are no reason to write a table.
	minGain = 1 << 20
	// LinuxFS is the GPT type of a Linux file system, LinuxSwap of swap.
	LinuxFS   = "0fc63daf-8483-4772-8e79-3d69d8477de4"
	LinuxSwap = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
)

// Read lists the partitions of a disk.
func Read(d Device, g Geometry) (kind string, parts []Part, err error) {
	h, err := readHeader(d, g)
	if err == nil {
		for i := range h.count {
			e := h.entries[i*h.size:]
			if first := le.Uint64(e[32:]); first != 0 {
				parts = append(parts, Part{int(i) + 1, first, le.Uint64(e[40:]) - first + 1, guidString(e[:16])})
			}
		}
		return GPT, parts, nil
	}
	if !errors.Is(err, ErrNoTable) {
		return "", nil, err
	}
	m, err := readMBR(d)
	if err != nil {
		return "", nil, err
	}
	for i := range 4 {
		e := m[mbrParts+16*i:]
		if e[4] != 0 {
			parts = append(parts, Part{i + 1, uint64(le.Uint32(e[8:])), uint64(le.Uint32(e[12:])), fmt.Sprintf("%02x", e[4])})
		}
	}
	return MBR, parts, nil
}

func readMBR(d Device) ([]byte, error) {
	b := make([]byte, 512)
	if _, err := d.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("read the partition table: %w", err)
	}
	if b[510] != 0x55 || b[511] != 0xaa || !plausible(b) {
		return nil, ErrNoTable
	}
	return b, nil
}

// plausible tells a table from a boot sector of a file system, which ends in
// the same two bytes.
func plausible(b []byte) bool {
	any := false
	for i := range 4 {
		e := b[mbrParts+16*i:]
		if e[0] != 0 && e[0] != 0x80 {
			return false
		}
		any = any || e[4] != 0 && le.Uint32(e[12:]) != 0
	}
	return any
}

// header is a GPT with its entries.
type header struct {
	raw         []byte
	entries     []byte
	count, size uint32
}

func readHeader(d Device, g Geometry) (*header, error) {
	raw := make([]byte, g.Sector)
	if _, err := d.ReadAt(raw, g.Sector); err != nil || string(raw[:8]) != "EFI PART" {
		return nil, ErrNoTable
	}
	h := &header{raw: raw, count: le.Uint32(raw[80:]), size: le.Uint32(raw[84:])}
	length := le.Uint32(raw[12:])
	if length < 92 || int64(length) > g.Sector || h.size < entrySize || h.size > 4096 || h.count == 0 || h.count > 1024 {
		return nil, errors.New("the GPT's header is damaged")
	}
	if checksum(raw[:length], 16) != le.Uint32(raw[16:]) {
		return nil, errors.New("the GPT's header is damaged: wrong checksum")
	}
	at := le.Uint64(raw[72:])
	if at == 0 || at > g.Sectors {
		return nil, errors.New("the GPT's entries lie outside the disk")
	}
	h.entries = make([]byte, h.count*h.size)
	if _, err := d.ReadAt(h.entries, int64(at)*g.Sector); err != nil {
		return nil, fmt.Errorf("read the GPT's entries: %w", err)
	}
	if crc32.ChecksumIEEE(h.entries) != le.Uint32(raw[88:]) {
		return nil, errors.New("the GPT's entries are damaged: wrong checksum")
	}
	return h, nil
}

// checksum of a header with its own field, at, as zero.
func checksum(b []byte, at int) uint32 {
	c := append([]byte(nil), b...)
	le.PutUint32(c[at:], 0)
	return crc32.ChecksumIEEE(c)
}

// entrySectors is how many sectors the entries take.
func (h *header) entrySectors(g Geometry) uint64 {
	return (uint64(len(h.entries)) + uint64(g.Sector) - 1) / uint64(g.Sector)
}

// write puts the table at both ends: the copy first, so that one of the two is
// whole at any moment.
func (h *header) write(d Device, g Geometry) error {
	n := h.entrySectors(g)
	le.PutUint64(h.raw[48:], g.Sectors-1-n-1)
	le.PutUint32(h.raw[88:], crc32.ChecksumIEEE(h.entries))
	for _, copy := range []struct{ at, other, entries uint64 }{
		{g.Sectors - 1, 1, g.Sectors - 1 - n},
		{1, g.Sectors - 1, 2},
	} {
		le.PutUint64(h.raw[24:], copy.at)
		le.PutUint64(h.raw[32:], copy.other)
		le.PutUint64(h.raw[72:], copy.entries)
		length := le.Uint32(h.raw[12:])
		le.PutUint32(h.raw[16:], checksum(h.raw[:length], 16))
		if _, err := d.WriteAt(h.entries, int64(copy.entries)*g.Sector); err != nil {
			return fmt.Errorf("write the GPT: %w", err)
		}
		if _, err := d.WriteAt(h.raw, int64(copy.at)*g.Sector); err != nil {
			return fmt.Errorf("write the GPT: %w", err)
		}
	}
	return nil
}

func guidString(b []byte) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(b), le.Uint16(b[4:]), le.Uint16(b[6:]), b[8:10], b[10:16])
}

func parseGUID(s string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	if err != nil || len(raw) != 16 {
		return nil, fmt.Errorf("%q is no GUID of a partition type", s)
	}
	b := make([]byte, 16)
	le.PutUint32(b, binary.BigEndian.Uint32(raw))
	le.PutUint16(b[4:], binary.BigEndian.Uint16(raw[4:]))
	le.PutUint16(b[6:], binary.BigEndian.Uint16(raw[6:]))
	copy(b[8:], raw[8:])
	return b, nil
}

func newGUID() ([]byte, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[7], b[8] = b[7]&0x0f|0x40, b[8]&0x3f|0x80
	return b, nil
}
