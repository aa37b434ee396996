// Package udf reads files from a UDF file system, which is what Azure formats
// its provisioning disc with. It knows what such discs have: one plain
// partition, blocks of 2048 bytes, UDF 1.02 to 2.01.
//
// https://ecma-international.org/publications-and-standards/standards/ecma-167/
package udf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf16"
)

const (
	block = 2048
	// anchor is the block where reading starts.
	anchor = 256

	tagAnchor       = 2
	tagPartition    = 5
	tagLogical      = 6
	tagTerminator   = 8
	tagFileSet      = 256
	tagIdentifier   = 257
	tagFileEntry    = 261
	tagExtFileEntry = 266
)

// Bounds of what is read.
const (
	maxFolder = 1 << 20
	maxDepth  = 8
	maxVDS    = 64 // descriptors
)

// A Volume is an open file system.
type Volume struct {
	dev io.ReaderAt
	// start is the block where the partition begins.
	start int64
	root  uint32
}

// Open finds the root folder.
func Open(dev io.ReaderAt) (*Volume, error) {
	v := &Volume{dev: dev, start: -1}
	a, err := v.descriptor(anchor)
	if err != nil || tag(a) != tagAnchor {
		return nil, errors.New("no UDF: there is no anchor")
	}
	length, at := binary.LittleEndian.Uint32(a[16:]), binary.LittleEndian.Uint32(a[20:])
	fileSet := uint32(0)
	found := false
	for i := range min(length/block, maxVDS) {
		d, err := v.descriptor(int64(at) + int64(i))
		if err != nil {
			return nil, err
		}
		switch tag(d) {
		case tagTerminator:
			return v.withRoot(fileSet, found)
		case tagPartition:
			v.start = int64(binary.LittleEndian.Uint32(d[188:]))
		case tagLogical:
			if n := binary.LittleEndian.Uint32(d[212:]); n != block {
				return nil, fmt.Errorf("UDF with blocks of %d bytes is not read", n)
			}
			if maps := binary.LittleEndian.Uint32(d[268:]); maps != 1 || d[440] != 1 {
				return nil, errors.New("UDF with virtual, sparable or metadata partitions is not read")
			}
			fileSet, found = binary.LittleEndian.Uint32(d[252:]), true
		}
	}
	return v.withRoot(fileSet, found)
}

func (v *Volume) withRoot(fileSet uint32, found bool) (*Volume, error) {
	if v.start < 0 || !found {
		return nil, errors.New("damaged UDF: partition or logical volume is missing")
	}
	f, err := v.descriptor(v.start + int64(fileSet))
	if err != nil || tag(f) != tagFileSet {
		return nil, errors.New("damaged UDF: the file set is missing")
	}
	v.root = binary.LittleEndian.Uint32(f[404:])
	return v, nil
}

func tag(b []byte) int { return int(binary.LittleEndian.Uint16(b)) }

func (v *Volume) descriptor(at int64) ([]byte, error) {
	b := make([]byte, block)
	if _, err := v.dev.ReadAt(b, at*block); err != nil {
		return nil, fmt.Errorf("read block %d: %w", at, err)
	}
	return b, nil
}

// ReadFile returns a file of at most limit bytes. Case does not matter in its
// name. The error is fs.ErrNotExist if there is none.
func (v *Volume) ReadFile(name string, limit int) ([]byte, error) {
	parts := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	if len(parts) > maxDepth {
		return nil, fmt.Errorf("read %s: too many folders", name)
	}
	at := v.root
	for _, part := range parts {
		folder, err := v.content(at, maxFolder)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		next, ok := find(folder, part)
		if !ok {
			return nil, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
		}
		at = next
	}
	b, err := v.content(at, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return b, nil
}

// content is what a file entry describes.
func (v *Volume) content(at uint32, limit int) ([]byte, error) {
	e, err := v.descriptor(v.start + int64(at))
	if err != nil {
		return nil, err
	}
	var head int
	switch tag(e) {
	case tagFileEntry:
		head = 168
	case tagExtFileEntry:
		head = 208
	default:
		return nil, errors.New("damaged UDF: a file entry is missing")
	}
	size := binary.LittleEndian.Uint64(e[56:])
	if size > uint64(limit) {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", size, limit)
	}
	begin := int64(head) + 8 + int64(binary.LittleEndian.Uint32(e[head:]))
	end := begin + int64(binary.LittleEndian.Uint32(e[head+4:]))
	if begin < 0 || end > block || begin > end {
		return nil, errors.New("damaged UDF: a file entry is longer than its block")
	}
	where := e[begin:end]
	switch kind := e[34] & 7; kind {
	case 0: // extents of 8 bytes
		return v.extents(where, 8, int(size))
	case 1: // of 16, with a partition
		return v.extents(where, 16, int(size))
	case 3: // in the entry itself
		if uint64(len(where)) < size {
			return nil, errors.New("damaged UDF: a file is shorter than it says")
		}
		return where[:size], nil
	default:
		return nil, fmt.Errorf("UDF allocation of type %d is not read", kind)
	}
}

func (v *Volume) extents(list []byte, width, size int) ([]byte, error) {
	var out []byte
	for ; len(list) >= width && len(out) < size; list = list[width:] {
		length := binary.LittleEndian.Uint32(list)
		if kind := length >> 30; kind != 0 {
			return nil, errors.New("UDF extents that are not recorded are not read")
		}
		if length == 0 {
			break
		}
		b := make([]byte, min(int(length), size-len(out)))
		at := (v.start + int64(binary.LittleEndian.Uint32(list[4:]))) * block
		if _, err := v.dev.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		out = append(out, b...)
	}
	if len(out) < size {
		return nil, errors.New("damaged UDF: a file is shorter than it says")
	}
	return out, nil
}

// find looks for a name in a folder and returns where its entry is.
func find(folder []byte, name string) (uint32, bool) {
	const fixed, deleted, parent = 38, 1 << 2, 1 << 3
	for len(folder) >= fixed && tag(folder) == tagIdentifier {
		use := int(binary.LittleEndian.Uint16(folder[36:]))
		end := fixed + use + int(folder[19])
		if end > len(folder) {
			return 0, false
		}
		if folder[18]&(deleted|parent) == 0 && strings.EqualFold(decode(folder[fixed+use:end]), name) {
			return binary.LittleEndian.Uint32(folder[24:]), true
		}
		folder = folder[min((end+3)&^3, len(folder)):]
	}
	return 0, false
}

// decode reads a name: its first byte says how wide the characters are.
func decode(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var u []uint16
	switch b[0] {
	case 8:
		for _, c := range b[1:] {
			u = append(u, uint16(c))
		}
	case 16:
		for i := 1; i+1 < len(b); i += 2 {
			u = append(u, binary.BigEndian.Uint16(b[i:]))
		}
	}
	return string(utf16.Decode(u))
}
