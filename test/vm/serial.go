package vm

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// A speaker is the host's end of a serial port. Document is what the recording
// has in serial.json.
type speaker func(port io.ReadWriter, document []byte) error

// Speak lets a host talk at a machine's second serial port, ttyS1. It returns
// QEMU's arguments.
func Speak(t testing.TB, host speaker, document []byte) []string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "port")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = host(c, document)
			c.Close()
		}
		ended <- err
	}()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; t.Failed() && err != nil {
			t.Logf("host at the serial port: %v", err)
		}
	})
	return []string{"-serial", "unix:" + socket}
}

// cepko is CloudSigma's host: "<", a key and ">" on lines ask for a value; the
// empty key is the whole server context. The answer ends in EOT.
//
// https://docs.cloudsigma.com/en/latest/server_context.html
func cepko(port io.ReadWriter, document []byte) error {
	const eot = "\x04"
	r := bufio.NewReader(port)
	for {
		question, err := r.ReadString('>')
		if err != nil {
			return err
		}
		if !strings.HasSuffix(question, "<\n\n>") {
			return fmt.Errorf("cannot answer %q", question)
		}
		if _, err := io.WriteString(port, strings.TrimSpace(string(document))+"\n"+eot); err != nil {
			return err
		}
	}
}

// mdata is SmartOS' host: document has the keys.
//
// https://eng.tritondatacenter.com/mdata/protocol.html
func mdata(port io.ReadWriter, document []byte) error {
	var keys map[string]string
	if err := json.Unmarshal(document, &keys); err != nil {
		return err
	}
	r := bufio.NewReader(port)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		answer := "invalid command"
		switch line = strings.TrimSpace(line); {
		case line == "NEGOTIATE V2":
			answer = "V2_OK"
		case strings.HasPrefix(line, "V2 "):
			if answer, err = mdataAnswer(line, keys); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(port, answer+"\n"); err != nil {
			return err
		}
	}
}

// mdataAnswer answers "V2 LENGTH CRC32 ID GET KEY", KEY in base64. Length and
// checksum are those of what follows them.
func mdataAnswer(line string, keys map[string]string) (string, error) {
	f := strings.SplitN(line, " ", 4)
	if len(f) < 4 || f[1] != fmt.Sprint(len(f[3])) || f[2] != checksum(f[3]) {
		return "", fmt.Errorf("a damaged question: %q", line)
	}
	ask := strings.Fields(f[3])
	if len(ask) != 3 || ask[1] != "GET" {
		return "", fmt.Errorf("cannot answer %q", line)
	}
	key, err := base64.StdEncoding.DecodeString(ask[2])
	if err != nil {
		return "", fmt.Errorf("key of %q: %w", line, err)
	}
	body := ask[0] + " NOTFOUND"
	if v, ok := keys[string(key)]; ok {
		body = ask[0] + " SUCCESS " + base64.StdEncoding.EncodeToString([]byte(v))
	}
	return fmt.Sprintf("V2 %d %s %s", len(body), checksum(body), body), nil
}

func checksum(s string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(s))) }
