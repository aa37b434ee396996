// Package cloudsigma reads the server context of CloudSigma over a serial port.
//
// https://docs.cloudsigma.com/en/latest/server_context.html
package cloudsigma

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/serial"
	"rancheros/datasources/internal/wire"
)

// Kind is the CloudSigma datasource.
var Kind = datasources.Kind{
	Name:     "cloudsigma",
	Upstream: "CloudSigma",
	Needs:    datasources.Local,
	Detect:   detect,
	Fetch:    fetch,
}

const (
	serialPort = "dev/ttyS1"
	timeLimit  = time.Minute
	maxContext = 4 << 20
	// request asks for the whole context.
	request = "<\n\n>"
	// endOfText ends an answer.
	endOfText = 0x04
)

func detect(h *datasources.Host) datasources.Finding {
	if h.DMI("product_name") == "CloudSigma" {
		return datasources.Finding{Match: datasources.Yes, Evidence: `DMI product_name is "CloudSigma"`}
	}
	return datasources.Finding{}
}

func fetch(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
	port, err := serial.Open(filepath.Join(env.Host.Dir, serialPort))
	if err != nil {
		return nil, err
	}
	defer port.Close()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	b, err := ask(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", serialPort, err)
	}
	in, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("/%s: %w", serialPort, err)
	}
	in.Subplatform = "cepko (/" + serialPort + ")"
	return in, nil
}

// ask sends the request and reads one line of JSON.
func ask(ctx context.Context, port serial.Port) ([]byte, error) {
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(timeLimit)
	}
	if err := port.SetDeadline(until); err != nil {
		return nil, err
	}
	if _, err := port.Write([]byte(request)); err != nil {
		return nil, fmt.Errorf("ask for the server context: %w", err)
	}
	r := bufio.NewReader(port)
	var b []byte
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("read the server context: %w", err)
		}
		if c == '\n' || c == endOfText {
			if len(bytes.TrimSpace(b)) > 0 {
				return b, nil
			}
			continue
		}
		if b = append(b, c); len(b) > maxContext {
			return nil, fmt.Errorf("the server context is larger than %d bytes", maxContext)
		}
	}
}

func parse(b []byte) (*datasources.Instance, error) {
	d, err := wire.Parse(b)
	if err != nil {
		return nil, err
	}
	id := d.Str("uuid")
	if id == "" {
		return nil, errors.New("uuid is missing")
	}
	in := &datasources.Instance{
		ID:         id,
		Hostname:   hostname(d.Str("name"), id),
		VendorData: wire.Bytes(d.Get("vendor_data.cloudinit")),
		Metadata:   d,
	}
	meta := d.Doc("meta")
	in.PublicKeys = wire.KeyLines(meta.Str("ssh_public_key"))
	if v, ok := meta["cloudinit-user-data"].(string); ok {
		in.UserData = wire.Bytes(v)
	}
	d.Drop("vendor_data", "meta.cloudinit-user-data")
	encoded := strings.Split(meta.Str("base64_fields"), ",")
	if slices.ContainsFunc(encoded, func(s string) bool { return strings.TrimSpace(s) == "cloudinit-user-data" }) {
		in.UserData = wire.UserBase64(in, in.UserData, "meta.cloudinit-user-data")
	}
	return in, nil
}

// hostname is the server's name if a machine can bear it, else the start of its
// UUID.
func hostname(name, id string) string {
	const longest = 61
	if regexp.MustCompile(`^[A-Za-z0-9._-]+$`).MatchString(name) {
		return name[:min(len(name), longest)]
	}
	first, _, _ := strings.Cut(id, "-")
	return first
}
