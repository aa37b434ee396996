package tftp

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Packets of TFTP (RFC 1350) and of its options (RFC 2347, 2348).
const (
	opRead  = 1
	opData  = 3
	opAck   = 4
	opError = 5
	opOAck  = 6

	defaultBlock = 512
	wantedBlock  = 1428 // fits into an Ethernet frame
)

const (
	// maxFile is how many bytes a file may have.
	maxFile = 16 << 20
	// patience is how long one answer may take before we ask again.
	patience = 2 * time.Second
	// tries of one packet.
	tries = 5
)

// get reads a file. It ends when ctx does.
func get(ctx context.Context, addr, file string) ([]byte, error) {
	server, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t := &transfer{conn: conn, peer: server, block: defaultBlock, ctx: ctx}
	b, err := t.run(file)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	return b, err
}

// A transfer is one file on its way.
type transfer struct {
	conn  *net.UDPConn
	peer  *net.UDPAddr
	fixed bool // the peer's port is known
	block int
	ctx   context.Context
}

func (t *transfer) run(file string) ([]byte, error) {
	send := request(file)
	var data []byte
	for want := uint16(1); ; {
		op, body, err := t.exchange(send, want)
		if err != nil {
			return nil, err
		}
		if op == opOAck {
			t.block = blockSize(body)
			send = ack(0)
			continue
		}
		data = append(data, body...)
		if len(data) > maxFile {
			return nil, fmt.Errorf("larger than %d bytes", maxFile)
		}
		send = ack(want)
		if len(body) < t.block {
			_, err := t.conn.WriteToUDP(send, t.peer)
			return data, err
		}
		want++
	}
}

func request(file string) []byte {
	b := []byte{0, opRead}
	for _, s := range []string{file, "octet", "blksize", strconv.Itoa(wantedBlock)} {
		b = append(append(b, s...), 0)
	}
	return b
}

func ack(n uint16) []byte { return []byte{0, opAck, byte(n >> 8), byte(n)} }

// blockSize is what the server agreed to.
func blockSize(body []byte) int {
	words := strings.Split(string(body), "\x00")
	for i := 0; i+1 < len(words); i += 2 {
		if n, err := strconv.Atoi(words[i+1]); err == nil && strings.EqualFold(words[i], "blksize") && n >= 8 && n <= wantedBlock {
			return n
		}
	}
	return defaultBlock
}

// exchange sends a packet until the data block that is wanted comes, or at the
// start the answer to our options.
func (t *transfer) exchange(send []byte, want uint16) (byte, []byte, error) {
	buf := make([]byte, 4+wantedBlock+1)
	for range tries {
		if _, err := t.conn.WriteToUDP(send, t.peer); err != nil {
			return 0, nil, err
		}
		until := time.Now().Add(patience)
		for {
			if t.ctx.Err() != nil {
				return 0, nil, t.ctx.Err()
			}
			if err := t.conn.SetReadDeadline(until); err != nil {
				return 0, nil, err
			}
			n, from, err := t.conn.ReadFromUDP(buf)
			if err != nil {
				break // time is up: ask again
			}
			op, body, ok, err := t.accept(buf[:n], from, want)
			if err != nil || ok {
				return op, body, err
			}
		}
	}
	return 0, nil, fmt.Errorf("no answer to %d packets", tries)
}

// accept says whether a packet is the one that is waited for. The server
// answers from a port of its own choice, and from that alone from then on.
func (t *transfer) accept(p []byte, from *net.UDPAddr, want uint16) (op byte, body []byte, ok bool, err error) {
	if len(p) < 4 || !from.IP.Equal(t.peer.IP) || t.fixed && from.Port != t.peer.Port {
		return 0, nil, false, nil
	}
	op = p[1]
	switch op {
	case opError:
		return op, nil, false, fmt.Errorf("the server says: %s", strings.Trim(string(p[4:]), "\x00"))
	case opOAck:
		ok, body = want == 1 && !t.fixed, p[2:]
	case opData:
		ok, body = binary.BigEndian.Uint16(p[2:]) == want, p[4:]
	}
	if ok {
		t.peer, t.fixed = from, true
	}
	return op, append([]byte(nil), body...), ok, nil
}
