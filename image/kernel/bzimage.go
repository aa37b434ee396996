package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Places in a bzImage, and how much of it has them.
//
// https://docs.kernel.org/arch/x86/boot.html
const (
	magicAt   = 0x202 // "HdrS"
	versionAt = 0x20e // where the version's text is, less 0x200
	headSize  = 0x8200
)

var errNoBzImage = errors.New("it is no bzImage: give arch/x86/boot/bzImage of a kernel's build, or a distribution's /boot/vmlinuz-*")

// Release reads out of a bzImage what uname -r will say.
func Release(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, headSize))
	if err != nil {
		return "", fmt.Errorf("read the kernel's head: %w", err)
	}
	if len(head) < versionAt+2 || string(head[magicAt:magicAt+4]) != "HdrS" {
		return "", errNoBzImage
	}
	at := int(binary.LittleEndian.Uint16(head[versionAt:])) + 0x200
	if at == 0x200 || at >= len(head) {
		return "", errNoBzImage
	}
	text, _, _ := bytes.Cut(head[at:], []byte{0})
	release, _, _ := strings.Cut(string(text), " ")
	if release == "" || strings.ContainsAny(release, "/\n") {
		return "", errNoBzImage
	}
	return release, nil
}
