// Package state is what cloud-init keeps of an instance and shows to others:
// the folders below /var/lib/cloud and /run/cloud-init, in the shape that
// upstream's consumers (Packer, Terraform, snapd, scripts) read.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// Places below paths.CloudInitRun.
const (
	StatusFile = paths.CloudInitRun + "/status.json"
	ResultFile = paths.CloudInitRun + "/result.json"
	// InstanceData is for everybody, with secrets cut out; InstanceDataFull is
	// for root.
	InstanceData     = paths.CloudInitRun + "/instance-data.json"
	InstanceDataFull = paths.CloudInitRun + "/instance-data-sensitive.json"
	CombinedConfig   = paths.CloudInitRun + "/combined-cloud-config.json"
	CloudID          = paths.CloudInitRun + "/cloud-id"
	InstanceID       = paths.CloudInitRun + "/.instance-id"
	// Record is one JSON object per line for each thing that was done this
	// boot, for `ros cloud-init analyze`. See Event.
	Record = paths.CloudInitRun + "/record.jsonl"
	// Report is what cloud-init-execute did last, see execute.Report.
	Report = paths.CloudInitRun + "/execute.json"
	// Disabled exists when cloud-init shall do nothing this boot.
	Disabled = paths.CloudInitRun + "/disabled"
)

// Places below paths.CloudInitLib.
const (
	Instance   = paths.CloudInitLib + "/instance"
	Instances  = paths.CloudInitLib + "/instances"
	Data       = paths.CloudInitLib + "/data"
	Scripts    = paths.CloudInitLib + "/scripts"
	Seed       = paths.CloudInitLib + "/seed"
	Semaphores = paths.CloudInitLib + "/sem"
	// Saved is the identity of the machine that was saved, see save.Identity.
	Saved = Data + "/identity.json"
	// DisabledMark is how a person turns cloud-init off for good.
	DisabledMark = "/etc/cloud/cloud-init.disabled"
)

// LogFile and OutputFile are where people look for what went wrong.
const (
	LogFile    = "/var/log/cloud-init.log"
	OutputFile = "/var/log/cloud-init-output.log"
)

// Private is the permission of what only root may read, Public of the rest.
var (
	private = tree.Perm{Mode: 0o600, Secret: true}
	public  = tree.Perm{Mode: 0o644}
)

// IsOurs says whether the tree is a machine of this OS, which has config
// layers; on any other Linux cloud-init's own folders are all there is.
func IsOurs(t *tree.Tree) bool {
	// Our containers show it too, whose os-release is that of their files.
	if t.Exists(paths.OSConfig) {
		return true
	}
	for _, f := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, err := t.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.SplitSeq(string(b), "\n") {
			if v, ok := strings.CutPrefix(line, "ID="); ok {
				return strings.Trim(v, `"'`) == "rancheros"
			}
		}
	}
	return false
}

// InstanceDir is the folder of one instance. IDs come from outside: a slash in
// one must not lead elsewhere.
func InstanceDir(id string) string { return path.Join(Instances, SafeName(id)) }

// SafeName makes a file name of what a datasource or user called something.
func SafeName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = s[:200]
	}
	if s == "" || s == "." || s == ".." {
		return "_"
	}
	return s
}

// HasSystemd says whether the tree is a Linux whose services are units of
// systemd; on our OS they are containers.
func HasSystemd(t *tree.Tree) bool {
	return !IsOurs(t) && (t.Exists("/usr/lib/systemd/systemd") || t.Exists("/lib/systemd/systemd"))
}

// CurrentID is the instance that was saved last, "" when there is none.
func CurrentID(t *tree.Tree) string { return t.ReadString(Data + "/instance-id") }

// readJSON reads a file that we wrote; nothing there is no error.
func readJSON(t *tree.Tree, p string, v any) (bool, error) {
	b, err := t.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("read %s: %w", p, err)
	}
	return true, nil
}

// WriteJSON writes v as upstream writes its files: sorted keys, one blank of
// indentation.
func WriteJSON(t *tree.Tree, p string, v any, secret bool) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", p, err)
	}
	perm := public
	if secret {
		perm = private
	}
	_, err := t.WriteFile(p, b.Bytes(), perm)
	return err
}
