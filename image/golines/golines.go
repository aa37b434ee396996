// Package golines takes the tables of source lines out of Go programs, and puts
// lines into the traces of programs that had theirs taken.
//
// A Go program knows the file and line of each of its instructions: a tenth of
// its size, compressed. Without them it runs the same, and its traces tell
// functions and offsets in these, "?:0 +0x1d", which is enough to find the line
// in a build that has its tables. Neither the linker nor the compiler can leave
// them out by itself.
//
// The tables are those of https://go.dev/src/internal/abi/symtab.go and
// https://go.dev/src/runtime/symtab.go.
package golines

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// magic120 starts the tables of Go 1.20 and later.
const magic120 = 0xfffffff1

// header of .gopclntab. The offsets count from its start.
type header struct {
	Magic                                 uint32
	_                                     [2]byte
	MinLC, PtrSize                        uint8
	Funcs, Files, TextStart               uint64
	Names, Units, FileNames, PCs, FuncTab uint64
}

// function is the fixed part of what is known of a function. NPCData offsets of
// more tables follow.
type function struct {
	Entry                         uint32
	Name, Args                    int32
	DeferReturn                   uint32
	PCSP, PCFile, PCLine, NPCData uint32
	Unit                          uint32
	StartLine                     int32
	_                             [4]byte
}

// Where the fields are that Drop changes, and the size of function, in bytes.
const (
	atPCFile     = 20
	atStartLine  = 36
	functionSize = 44
)

// Drop returns the program without its lines. It has the same size; what is
// gone are zeros. What is no Go program, or of another Go, is an error.
func Drop(program []byte) ([]byte, error) {
	at, size, err := section(program, ".gopclntab")
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(program)
	t := tables{b: out[at : at+size]}
	if err := t.drop(); err != nil {
		return nil, fmt.Errorf(".gopclntab: %w", err)
	}
	return out, nil
}

// section finds where a section's bytes are in the file.
func section(program []byte, name string) (at, size uint64, err error) {
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return 0, 0, err
	}
	s := f.Section(name)
	if s == nil {
		return 0, 0, fmt.Errorf("no section %s: not a Go program", name)
	}
	if s.Type == elf.SHT_NOBITS || s.Offset+s.Size > uint64(len(program)) || s.Offset+s.Size < s.Offset {
		return 0, 0, fmt.Errorf("section %s is not in the file", name)
	}
	return s.Offset, s.Size, nil
}

type tables struct {
	b []byte
	header
}

var errShort = errors.New("an offset points out of the table")

// drop clears, in each function, where its tables of files and lines are, and
// then these tables but for those that have another use as well: the linker
// keeps equal ones once.
func (t *tables) drop() error {
	if _, err := binary.Decode(t.b, binary.LittleEndian, &t.header); err != nil {
		return err
	}
	if t.Magic != magic120 || t.PtrSize != 8 {
		return fmt.Errorf("it starts with %#x and has pointers of %d bytes, want %#x and 8: learn the tables of this Go", t.Magic, t.PtrSize, magic120)
	}
	size := uint64(len(t.b))
	if t.Names > t.Units || t.Units > t.FileNames || t.FileNames > t.PCs || t.PCs > t.FuncTab || t.FuncTab > size || t.Funcs > (size-t.FuncTab)/8 {
		return errShort
	}
	used, unused := map[uint32]bool{0: true}, map[uint32]bool{}
	for i := range t.Funcs {
		// Each entry of the table has a function's address and where it is described.
		at := t.FuncTab + uint64(binary.LittleEndian.Uint32(t.b[t.FuncTab+8*i+4:]))
		var f function
		if _, err := binary.Decode(t.b[min(at, size):], binary.LittleEndian, &f); err != nil {
			return errShort
		}
		if at+functionSize+4*uint64(f.NPCData) > size {
			return errShort
		}
		used[f.PCSP] = true
		for n := range uint64(f.NPCData) {
			used[binary.LittleEndian.Uint32(t.b[at+functionSize+4*n:])] = true
		}
		unused[f.PCFile], unused[f.PCLine] = true, true
		clear(t.b[at+atPCFile : at+atPCFile+8]) // PCFile and PCLine: 0 is "has none"
		clear(t.b[at+atStartLine : at+atStartLine+4])
	}
	pcs := t.b[t.PCs:t.FuncTab]
	for off := range unused {
		if used[off] {
			continue
		}
		n, err := tableSize(pcs, off)
		if err != nil {
			return err
		}
		clear(pcs[off : uint64(off)+n])
	}
	clear(t.b[t.Units:t.PCs]) // names of files, and which units have which
	return nil
}

// tableSize is how long the table at off is, in bytes: pairs of numbers, each a
// difference of the value and one of the address, until a value does not change.
// The first may be 0.
func tableSize(pcs []byte, off uint32) (uint64, error) {
	if uint64(off) >= uint64(len(pcs)) {
		return 0, errShort
	}
	rest := pcs[off:]
	for first := true; ; first = false {
		value, n := binary.Uvarint(rest)
		if n <= 0 {
			return 0, errShort
		}
		rest = rest[n:]
		if value == 0 && !first {
			return uint64(len(pcs)-int(off)) - uint64(len(rest)), nil
		}
		if _, n = binary.Uvarint(rest); n <= 0 {
			return 0, errShort
		}
		rest = rest[n:]
	}
}
