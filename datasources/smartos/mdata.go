package smartos

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"rancheros/datasources/internal/serial"
)

// An mdata speaks version 2 of the Joyent metadata protocol: one line asks, one
// answers, both with length and checksum, because serial ports lose bytes.
//
// https://eng.tritondatacenter.com/mdata/protocol.html
type mdata struct {
	port serial.Port
	r    *bufio.Reader
}

const (
	// answerTime is how long the host may take for one answer.
	answerTime = 10 * time.Second
	// tries of one question over a line with errors.
	tries = 3
	// maxLine is more than the host allows.
	maxLine = 4 << 20
)

var errBadFrame = errors.New("the answer is damaged")

// newMdata agrees on version 2. What an earlier reader left on the line is
// flushed out by an empty command, which is answered as wrong.
func newMdata(ctx context.Context, port serial.Port) (*mdata, error) {
	m := &mdata{port, bufio.NewReaderSize(port, 4096)}
	if err := m.limit(ctx); err != nil {
		return nil, err
	}
	if _, err := port.Write([]byte("\n")); err != nil {
		return nil, fmt.Errorf("wake the metadata service: %w", err)
	}
	if err := m.until("invalid command"); err != nil {
		return nil, fmt.Errorf("wake the metadata service: %w", err)
	}
	if _, err := port.Write([]byte("NEGOTIATE V2\n")); err != nil {
		return nil, fmt.Errorf("negotiate version 2: %w", err)
	}
	if err := m.until("V2_OK"); err != nil {
		return nil, fmt.Errorf("negotiate version 2: %w", err)
	}
	return m, nil
}

func (m *mdata) limit(ctx context.Context) error {
	until := time.Now().Add(answerTime)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	return errors.Join(ctx.Err(), m.port.SetDeadline(until))
}

// until reads lines up to one that ends so.
func (m *mdata) until(want string) error {
	for range 100 {
		line, err := m.line()
		if err != nil {
			return err
		}
		if strings.HasSuffix(line, want) {
			return nil
		}
	}
	return fmt.Errorf("100 lines came, none was %q", want)
}

func (m *mdata) line() (string, error) {
	var b []byte
	for {
		part, err := m.r.ReadSlice('\n')
		b = append(b, part...)
		if err == nil {
			return strings.TrimRight(string(b), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if len(b) > maxLine {
			return "", fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
	}
}

// get asks for a key; false when it is not set.
func (m *mdata) get(ctx context.Context, key string) (string, bool, error) {
	var err error
	for range tries {
		var value string
		var ok bool
		if value, ok, err = m.ask(ctx, key); err == nil {
			return value, ok, nil
		}
		if !errors.Is(err, errBadFrame) {
			break
		}
	}
	return "", false, fmt.Errorf("ask for %s: %w", key, err)
}

func (m *mdata) ask(ctx context.Context, key string) (string, bool, error) {
	if err := m.limit(ctx); err != nil {
		return "", false, err
	}
	var n [4]byte
	rand.Read(n[:]) // never fails
	id := hex.EncodeToString(n[:])
	body := id + " GET " + base64.StdEncoding.EncodeToString([]byte(key))
	if _, err := m.port.Write([]byte(frame(body))); err != nil {
		return "", false, err
	}
	line, err := m.line()
	if err != nil {
		return "", false, err
	}
	body, err = unframe(line)
	if err != nil {
		return "", false, err
	}
	f := strings.SplitN(body, " ", 3)
	if len(f) < 2 || f[0] != id {
		return "", false, errBadFrame
	}
	if f[1] == "NOTFOUND" {
		return "", false, nil
	}
	if f[1] != "SUCCESS" {
		return "", false, fmt.Errorf("the host answers %s", f[1])
	}
	if len(f) < 3 {
		return "", true, nil
	}
	value, err := base64.StdEncoding.DecodeString(f[2])
	if err != nil {
		return "", false, fmt.Errorf("%w: %w", errBadFrame, err)
	}
	return string(value), true, nil
}

func frame(body string) string {
	return fmt.Sprintf("V2 %d %08x %s\n", len(body), crc32.ChecksumIEEE([]byte(body)), body)
}

func unframe(line string) (string, error) {
	f := strings.SplitN(line, " ", 4)
	if len(f) != 4 || f[0] != "V2" {
		return "", errBadFrame
	}
	n, err := strconv.Atoi(f[1])
	if err != nil || n != len(f[3]) {
		return "", errBadFrame
	}
	sum, err := strconv.ParseUint(f[2], 16, 32)
	if err != nil || uint32(sum) != crc32.ChecksumIEEE([]byte(f[3])) {
		return "", errBadFrame
	}
	return f[3], nil
}
