package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }

// A server serves one file, from a port of its own for each transfer.
type server struct {
	file    []byte
	options bool
	drop    int // packets to lose
	fail    string
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	l, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		buf := make([]byte, 2048)
		var started bool
		for {
			n, from, err := l.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if started || s.drop > 0 {
				s.drop--
				continue
			}
			started = true
			go s.transfer(string(buf[2:n]), from)
		}
	}()
	return l.LocalAddr().String()
}

func (s *server) transfer(req string, to *net.UDPAddr) {
	c, err := net.DialUDP("udp", nil, to)
	if err != nil {
		return
	}
	defer c.Close()
	if s.fail != "" {
		c.Write(append([]byte{0, opError, 0, 1}, s.fail+"\x00"...))
		return
	}
	block, buf := defaultBlock, make([]byte, 2048)
	if s.options && strings.Contains(req, "blksize") {
		block = wantedBlock
		c.Write([]byte("\x00\x06blksize\x001428\x00"))
		if n, err := c.Read(buf); err != nil || n != 4 {
			return
		}
	}
	for i := 0; ; i++ {
		part := s.file[min(i*block, len(s.file)):min((i+1)*block, len(s.file))]
		p := binary.BigEndian.AppendUint16([]byte{0, opData}, uint16(i+1))
		c.Write(append(p, part...))
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		for {
			n, err := c.Read(buf)
			if err != nil || n != 4 {
				return
			}
			if binary.BigEndian.Uint16(buf[2:]) == uint16(i+1) {
				break
			}
		}
		if len(part) < block {
			return
		}
	}
}

func TestFilesOfAnyLengthArrive(t *testing.T) {
	for _, options := range []bool{false, true} {
		for _, n := range []int{0, 1, defaultBlock, wantedBlock, 10 * wantedBlock, 100_000} {
			want := bytes.Repeat([]byte("x"), n)
			addr := (&server{file: want, options: options}).start(t)
			got, err := get(t.Context(), addr, "a/b")
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("get() of %d bytes, options %t = %d bytes, %v", n, options, len(got), err)
			}
		}
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	addr := (&server{fail: "File not found"}).start(t)
	_, err := fetch(t.Context(), datasources.Env{Host: &datasources.Host{}, Arg: addr + "/x"})
	if err == nil || !strings.Contains(err.Error(), "File not found") || !strings.Contains(err.Error(), addr+"/x") {
		t.Errorf("fetch() = %v, want the server's words and the URL", err)
	}
}

func TestSilentServerEndsWithTheContext(t *testing.T) {
	addr := (&server{drop: 1000}).start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := get(ctx, addr, "x"); err == nil {
		t.Error("get() succeeds with a silent server")
	}
	if took := time.Since(begin); took > 2*patience {
		t.Errorf("took %v", took)
	}
}

func TestArgumentIsHostAndPath(t *testing.T) {
	tests := []struct{ arg, addr, file string }{
		{"192.0.2.1/cloud-config", "192.0.2.1:69", "cloud-config"},
		{"192.0.2.1:6969/a/b", "192.0.2.1:6969", "a/b"},
		{"tftp://boot.example.com/x", "boot.example.com:69", "x"},
		{"[2001:db8::1]/x", "[2001:db8::1]:69", "x"},
		{"192.0.2.1", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		addr, file, err := split(tt.arg)
		if addr != tt.addr || file != tt.file || (err != nil) != (tt.addr == "") {
			t.Errorf("split(%s) = %s, %s, %v", tt.arg, addr, file, err)
		}
	}
}
