package udf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// An image is a disc in the making.
type image []byte

func (m image) block(n int) []byte { return m[n*block : (n+1)*block] }

func (m image) put(n, tag int) []byte {
	b := m.block(n)
	le.PutUint16(b, uint16(tag))
	return b
}

var le = binary.LittleEndian

// start is where the test's partition begins.
const start = 300

// disc makes one with the files; contents up to 100 bytes go into their entry.
func disc(files map[string]string) image {
	m := make(image, 400*block)
	a := m.put(anchor, tagAnchor)
	le.PutUint32(a[16:], 4*block)
	le.PutUint32(a[20:], 260)
	le.PutUint32(m.put(260, tagPartition)[188:], start)
	l := m.put(261, tagLogical)
	le.PutUint32(l[212:], block)
	le.PutUint32(l[252:], 0)
	le.PutUint32(l[268:], 1)
	l[440] = 1
	m.put(262, tagTerminator)
	le.PutUint32(m.put(start, tagFileSet)[404:], 1)
	next, folder := 3, identifier("", 1, 1<<3)
	for name, content := range files {
		m.entry(next, next+1, []byte(content))
		folder = append(folder, identifier(name, next, 0)...)
		next += 4
	}
	m.entry(1, 2, folder)
	return m
}

func identifier(name string, at, flags int) []byte {
	id := append([]byte{8}, name...)
	if strings.ContainsRune(name, 'ż') {
		id = []byte{16}
		for _, r := range name {
			id = binary.BigEndian.AppendUint16(id, uint16(r))
		}
	}
	if name == "" {
		id = nil
	}
	b := make([]byte, (38+len(id)+3)&^3)
	le.PutUint16(b, tagIdentifier)
	b[18], b[19] = byte(flags), byte(len(id))
	le.PutUint32(b[24:], uint32(at))
	copy(b[38:], id)
	return b
}

func (m image) entry(at, data int, content []byte) {
	e := m.put(start+at, tagFileEntry)
	le.PutUint64(e[56:], uint64(len(content)))
	if len(content) <= 100 {
		e[34] = 3
		le.PutUint32(e[172:], uint32(len(content)))
		copy(e[176:], content)
		return
	}
	le.PutUint32(e[172:], 8)
	le.PutUint32(e[176:], uint32(len(content)))
	le.PutUint32(e[180:], uint32(data))
	copy(m[(start+data)*block:], content)
}

func TestFilesAreReadWhereverTheyLie(t *testing.T) {
	files := map[string]string{"ovf-env.xml": "<a/>", "Big.txt": strings.Repeat("x", 5000), "żaba": "z"}
	v, err := Open(bytes.NewReader(disc(files)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		for _, n := range []string{name, strings.ToUpper(name), "/" + name} {
			got, err := v.ReadFile(n, 1<<20)
			if err != nil || string(got) != want {
				t.Errorf("ReadFile(%s) = %d bytes, %v", n, len(got), err)
			}
		}
	}
	if _, err := v.ReadFile("absent", 1<<20); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile(absent) = %v, want fs.ErrNotExist", err)
	}
	if _, err := v.ReadFile("Big.txt", 100); err == nil {
		t.Error("a file that is too large is read")
	}
	if _, err := v.ReadFile("ovf-env.xml/deeper", 100); err == nil {
		t.Error("a file is a folder")
	}
}

func FuzzDamagedDiscs(f *testing.F) {
	f.Add(300*block+56, byte(0xff))
	f.Add(261*block+252, byte(0x7f))
	f.Add(301*block+172, byte(0xff))
	good := disc(map[string]string{"a": "b", "c": strings.Repeat("x", 3000)})
	f.Fuzz(func(t *testing.T, at int, value byte) {
		m := bytes.Clone(good)
		if at < 0 {
			at = -(at + 1)
		}
		m[at%len(m)] = value
		v, err := Open(bytes.NewReader(m))
		if err != nil {
			return
		}
		for _, name := range []string{"a", "c", "b/c"} {
			if b, err := v.ReadFile(name, 1<<20); err == nil && len(b) > 1<<20 {
				t.Errorf("ReadFile(%s) = %d bytes", name, len(b))
			}
		}
	})
}
