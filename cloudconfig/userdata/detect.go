package userdata

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// prefixes of content and their types, longer before shorter.
func prefixes() [][2]string {
	return [][2]string{
		{"text/x-shellscript-per-instance", PerInstance},
		{"text/x-shellscript-per-boot", PerBoot},
		{"text/x-shellscript-per-once", PerOnce},
		{"#cloud-config-archive", Archive},
		{"#cloud-config-jsonp", JSONPatch},
		{"## template: jinja", Jinja},
		{"#cloud-boothook", Boothook},
		{"#include-once", IncludeOnce},
		{"#part-handler", PartHandler},
		{"#cloud-config", CloudConfig},
		{"#include", Include},
		{"#!", ShellScript},
	}
}

// Detect says by its first bytes what content is: blanks before them and case
// do not count. It is empty for what nobody knows.
func Detect(data []byte) string {
	text, _ := decodeText(data)
	start := strings.ToLower(string(bytes.TrimLeft(text[:min(len(text), 4096)], " \t\r\n\v\f")))
	for _, p := range prefixes() {
		if strings.HasPrefix(start, p[0]) {
			return p[1]
		}
	}
	if first, _, _ := strings.Cut(start, "\n"); strings.TrimRight(first, " \t\r") == "#compose" {
		return Compose
	}
	if isIgnition(text) {
		return Ignition
	}
	return ""
}

// isIgnition: a JSON object with the key that only Ignition has.
func isIgnition(text []byte) bool {
	head := bytes.TrimLeft(text, " \t\r\n")
	if len(head) == 0 || head[0] != '{' {
		return false
	}
	return bytes.Contains(head, []byte(`"ignition"`)) || bytes.Contains(head[:min(len(head), 256)], []byte(`"ignitionVersion"`))
}

// decodeText takes a byte order mark off, and turns UTF-16, which Windows tools
// write, into UTF-8. Note says what was done.
func decodeText(data []byte) (text []byte, note string) {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		return rest, "starts with a byte order mark; save it without"
	}
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		return data, ""
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 2; i+1 < len(data); i += 2 {
		units = append(units, order.Uint16(data[i:]))
	}
	return []byte(string(utf16.Decode(units))), "is UTF-16; save it as UTF-8"
}

// firstBytes shows how content begins, for a message.
func firstBytes(data []byte) string {
	control := func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == utf8.RuneError }
	if bytes.ContainsFunc(data[:min(len(data), 12)], control) {
		return fmt.Sprintf("the bytes % x", data[:min(len(data), 12)])
	}
	line, _, _ := bytes.Cut(bytes.TrimLeft(data, " \t\r\n"), []byte("\n"))
	line = bytes.ToValidUTF8(line[:min(len(line), 24)], []byte("?"))
	return fmt.Sprintf("%q", line)
}

// unknownContent explains content that is no part of any known kind.
func unknownContent(data []byte, declared string) error {
	first, _, _ := strings.Cut(strings.TrimLeft(string(data[:min(len(data), 200)]), " \t\r\n"), "\n")
	hint := "user-data starts with #cloud-config, #!, #include, #cloud-config-archive, MIME headers or the like"
	switch bare := strings.ToLower(strings.Join(strings.Fields(first), "")); {
	case strings.HasPrefix(bare, "#cloud-config"), strings.HasPrefix(bare, "##cloud-config"), strings.HasPrefix(bare, "cloud-config"),
		strings.HasPrefix(bare, "#cloud_config"), strings.HasPrefix(bare, "#cloudconfig"), strings.HasPrefix(bare, "//cloud-config"):
		hint = "did you mean #cloud-config?"
	case strings.HasPrefix(bare, "##template:"):
		hint = "only \"## template: jinja\" is known"
	case bytes.Contains(data[:min(len(data), headerSearch)], []byte("\n#cloud-config")):
		hint = "move the line #cloud-config to the top"
	case looksBase64(data):
		hint = "it looks like base64, which this datasource does not use: give it decoded"
	}
	if declared != "" && declared != Unknown && declared != undefinedType && declared != ShellScript {
		return fmt.Errorf("content type %s is not known; it starts with %s", declared, firstBytes(data))
	}
	return fmt.Errorf("not user-data of any known kind: it starts with %s; %s", firstBytes(data), hint)
}

func looksBase64(data []byte) bool {
	return !bytes.Equal(DecodeBase64(data), data)
}

// DecodeBase64 undoes base64 where data is nothing else and what is inside is
// user-data; otherwise it returns data.
func DecodeBase64(data []byte) []byte {
	bare := bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == ' ' || r == '\t' {
			return -1
		}
		return r
	}, data)
	if len(bare) < 4 {
		return data
	}
	out, err := base64.StdEncoding.DecodeString(string(bare))
	if err != nil {
		if out, err = base64.RawStdEncoding.DecodeString(string(bare)); err != nil {
			return data
		}
	}
	if isGzip(out) || isZstd(out) || Detect(out) != "" || isMessage(out) {
		return out
	}
	return data
}
