package azure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"rancheros/datasources"
)

// kvpPool is what the guest tells the host, in records of a fixed size that the
// key value daemon carries over.
const (
	kvpPool     = "var/lib/hyperv/.kvp_pool_1"
	kvpKeyLen   = 512
	kvpValueLen = 2048
	// kvpHostLen is how much of a value the host really reads.
	kvpHostLen = 1022
)

// reportKVP appends a PROVISIONING_REPORT for the host. A machine without the
// pool has no daemon that would carry it: nothing to do.
func reportKVP(h *datasources.Host, in *datasources.Instance, cause error) error {
	if h == nil || h.Dir == "" || !h.Exists(kvpPool) {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(h.Dir, kvpPool), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("report to the host: %w", err)
	}
	_, err = f.Write(kvpRecord("PROVISIONING_REPORT", kvpReport(in, cause, time.Now())))
	return errors.Join(err, f.Close())
}

func kvpReport(in *datasources.Instance, cause error, now time.Time) string {
	result := []string{"result=success"}
	if cause != nil {
		result = []string{"result=error", "reason=" + cause.Error()}
	}
	id := ""
	if in != nil {
		id = in.ID
	}
	fields := append(result, "agent=ros", "pps_type=None", "vm_id="+id,
		"timestamp="+now.UTC().Format(time.RFC3339))
	for i, f := range fields {
		// One record is one line of values between bars; quotes protect them.
		if strings.ContainsAny(f, "|'\r\n") {
			fields[i] = "'" + strings.ReplaceAll(f, "'", "''") + "'"
		}
	}
	return cut(strings.Join(fields, "|"), kvpHostLen)
}

func kvpRecord(key, value string) []byte {
	b := make([]byte, kvpKeyLen+kvpValueLen)
	copy(b[:kvpKeyLen-1], key)
	copy(b[kvpKeyLen:kvpKeyLen+kvpValueLen-1], value)
	return b
}
