package azure

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rancheros/datasources"
	"rancheros/datasources/internal/drive"
	"rancheros/datasources/internal/udf"
)

// errNoOVF says that no place holds an ovf-env.xml: machines made without a
// provisioning drive have IMDS only.
var errNoOVF = errors.New("no ovf-env.xml: not on a drive, not in " + seedDir + ", not in " + waagentDir)

// errUnread says that there is a disc, and what is on it is not known.
var errUnread = errors.New("a disc cannot be read")

// waagentDir is where agents keep a copy of the document after the drive is
// gone.
const waagentDir = "/var/lib/waagent"

// findOVF reads the first ovf-env.xml that is Azure's, and says where it was.
func findOVF(env datasources.Env) (*environment, string, error) {
	h := env.Host
	if b := h.Read(seedDir + "/ovf-env.xml"); b != "" {
		e, err := parseOVF([]byte(b))
		return e, "seed-dir (" + seedDir + ")", err
	}
	var errs []error
	for _, b := range h.Blocks {
		if b.FSType != "udf" && b.FSType != "iso9660" {
			continue
		}
		text, err := readDrive(h, b)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%w: %w", errUnread, err)) // perhaps of another kind
			continue
		}
		e, err := parseOVF(text)
		if errors.Is(err, errNotAzure) {
			continue
		}
		return e, "config-disk (/dev/" + b.Name + ")", err
	}
	if b := h.Read(waagentDir + "/ovf-env.xml"); b != "" {
		e, err := parseOVF([]byte(b))
		return e, "seed-dir (" + waagentDir + ")", err
	}
	return nil, "imds", errors.Join(append([]error{errNoOVF}, errs...)...)
}

func readDrive(h *datasources.Host, b datasources.Block) ([]byte, error) {
	if b.FSType == "udf" && h.Drives == "" {
		return readUDF(h, b)
	}
	d, err := drive.Open(h, b)
	if err != nil {
		return nil, fmt.Errorf("read ovf-env.xml: %w", err)
	}
	defer d.Close()
	return d.Read("ovf-env.xml")
}

// maxOVF is the most that the document may have; custom data is 64 kB of it.
const maxOVF = 1 << 20

// readUDF: the provisioning disc of real machines is UDF.
func readUDF(h *datasources.Host, b datasources.Block) ([]byte, error) {
	f, err := os.Open(filepath.Join(h.Dir, "dev", b.Name))
	if err != nil {
		return nil, fmt.Errorf("read ovf-env.xml: %w", err)
	}
	defer f.Close()
	v, err := udf.Open(f)
	if err != nil {
		return nil, fmt.Errorf("drive %s: %w", b.Name, err)
	}
	text, err := v.ReadFile("ovf-env.xml", maxOVF)
	if err != nil {
		return nil, fmt.Errorf("drive %s: %w", b.Name, err)
	}
	return text, nil
}
