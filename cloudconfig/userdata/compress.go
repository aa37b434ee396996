package userdata

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// What a good document does not exceed: text packs 3 to 20 fold.
const (
	maxRatio    = 250
	ratioCounts = 1 << 20
	maxPackings = 4
	zstdMemory  = 32 << 20
)

func isGzip(data []byte) bool { return bytes.HasPrefix(data, []byte{0x1f, 0x8b}) }

func isZstd(data []byte) bool { return bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}) }

func unpack(data []byte, max int64) (out []byte, packed bool, err error) {
	for range maxPackings {
		var r io.Reader
		switch {
		case isGzip(data):
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				return nil, true, fmt.Errorf("gzip: %w", err)
			}
			r = z
		case isZstd(data):
			z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(zstdMemory), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, true, fmt.Errorf("zstd: %w", err)
			}
			defer z.Close()
			r = z
		default:
			return data, packed, nil
		}
		if data, err = inflate(r, len(data), max); err != nil {
			return nil, true, err
		}
		packed = true
	}
	if isGzip(data) || isZstd(data) {
		return nil, true, fmt.Errorf("compressed more than %d times over", maxPackings)
	}
	return data, packed, nil
}

func inflate(r io.Reader, size int, max int64) ([]byte, error) {
	limit := max
	if byRatio := int64(size) * maxRatio; byRatio < limit {
		limit = byRatio + ratioCounts
	}
	out, err := io.ReadAll(io.LimitReader(r, min(limit, max)+1))
	switch {
	case int64(len(out)) > max:
		return nil, fmt.Errorf("unpacks to more than %d bytes", max)
	case int64(len(out)) > limit:
		return nil, fmt.Errorf("unpacks to more than %d times its size; that is no document", maxRatio)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("compressed content ends too early: it is cut off")
	case err != nil:
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return out, nil
}
