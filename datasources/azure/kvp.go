package azure

import (
	"path/filepath"
	"strings"
	"time"

	"rancheros/datasources"
	"rancheros/sys/kvp"
)

// reportKVP appends a PROVISIONING_REPORT for the host. A machine without the
// pool has no daemon that would carry it: nothing to do.
func reportKVP(h *datasources.Host, in *datasources.Instance, cause error) error {
	if h == nil || h.Dir == "" || !h.Exists(kvp.Pool) {
		return nil
	}
	return kvp.Append(filepath.Join(h.Dir, kvp.Pool), kvp.Record{Key: "PROVISIONING_REPORT", Value: kvpReport(in, cause, time.Now())})
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
	return kvp.Cut(strings.Join(fields, "|"), kvp.MaxValue)
}
