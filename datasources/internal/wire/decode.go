package wire

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"rancheros/datasources"
)

// MaxData is the most that user-data, vendor-data or metadata may unpack to.
const MaxData = 16 << 20

// Decode undoes an encoding that a cloud names beside the data: base64, b64,
// gzip+base64, gz+b64, gzip, gz, or none.
func Decode(b []byte, encoding string) ([]byte, error) {
	enc := strings.ToLower(strings.TrimSpace(encoding))
	switch enc {
	case "", "none", "text/plain", "plain":
		return b, nil
	case "base64", "b64":
		return Base64(b)
	case "gzip+base64", "gz+base64", "gzip+b64", "gz+b64":
		raw, err := Base64(b)
		if err != nil {
			return nil, err
		}
		return Gunzip(raw)
	case "gzip", "gz":
		return Gunzip(b)
	}
	return nil, fmt.Errorf("decode data: %w %q; known are base64, b64, gzip+base64, gz+b64", ErrEncoding, encoding)
}

// ErrEncoding says that nobody knows how to undo an encoding.
var ErrEncoding = errors.New("unknown encoding")

// Base64 decodes standard base64, with or without padding; blanks and line
// breaks do not matter.
func Base64(b []byte) ([]byte, error) {
	text := bytes.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, b)
	text = bytes.TrimRight(text, "=")
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, err := base64.RawStdEncoding.Decode(out, text)
	if err != nil {
		return nil, fmt.Errorf("decode base64: %w", err)
	}
	return out[:n], nil
}

// UserBase64 decodes user-data that from says is base64. Data that is not is left
// out and is one of in.Problems: it must not cost the keys and the name that let
// a person in to mend it.
func UserBase64(in *datasources.Instance, b []byte, from string) []byte {
	out, err := Base64(b)
	if err != nil {
		in.Problems = append(in.Problems, fmt.Sprintf("%s: %v", from, err))
		return nil
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// MaybeBase64 decodes b if it can only be base64 of something: clouds that let
// a user send either do not say which one it is.
func MaybeBase64(b []byte) []byte {
	t := bytes.TrimSpace(b)
	if len(t) == 0 || bytes.HasPrefix(t, []byte("#")) {
		return b
	}
	joined := bytes.Join(bytes.Fields(t), nil)
	if len(joined)%4 != 0 {
		return b
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(joined)))
	n, err := base64.StdEncoding.Strict().Decode(out, joined)
	if err != nil {
		return b
	}
	return out[:n]
}

// Gunzip unpacks b, up to MaxData.
func Gunzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unpack gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxData+1))
	if err != nil {
		return nil, fmt.Errorf("unpack gzip: %w", err)
	}
	if len(out) > MaxData {
		return nil, fmt.Errorf("unpack gzip: more than %d bytes", MaxData)
	}
	return out, nil
}

// Text returns b as one trimmed line of text, or "" if it is binary.
func Text(b []byte) string {
	if !utf8.Valid(b) {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// MAC returns a hardware address in lower case with colons; clouds write it
// with dashes, in upper case or without separators.
func MAC(s string) string {
	hex := strings.NewReplacer(":", "", "-", "", ".", "").Replace(strings.ToLower(strings.TrimSpace(s)))
	if len(hex) != 12 {
		return strings.ToLower(strings.TrimSpace(s))
	}
	parts := make([]string, 0, 6)
	for i := 0; i < 12; i += 2 {
		parts = append(parts, hex[i:i+2])
	}
	return strings.Join(parts, ":")
}
