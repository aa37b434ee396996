package cloudconfig

import (
	"bytes"
	"strings"
)

// otherKinds are first lines of user-data that is no cloud-config, and what
// such a document is.
var otherKinds = []struct{ first, what string }{
	{"#!", "a script"},
	{"#include", "a list of addresses"},
	{"#cloud-boothook", "a boothook"},
	{"#cloud-config-archive", "an archive of parts"},
	{"#cloud-config-jsonp", "a patch"},
	{"#part-handler", "a part handler"},
	{"#compose", "a compose file"},
	{"## template: jinja", "a template"},
	{"content-type: multipart", "made of several parts"},
	{"mime-version:", "made of several parts"},
}

// otherKind says what a document is, if it is no cloud-config by its first
// line.
func otherKind(doc []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimPrefix(doc, []byte("\ufeff")), []byte("\n"))
	first := strings.ToLower(strings.TrimSpace(string(line[:min(len(line), 100)])))
	for _, k := range otherKinds {
		if strings.HasPrefix(first, k.first) {
			return k.what
		}
	}
	return ""
}
