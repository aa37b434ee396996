package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rancheros/datasources"
)

// dsCase is case.json of the corpus ds-identify.
type dsCase struct {
	Files       map[string]string
	Dirs        []string
	Blkid       []dsBlock
	Virt, Arch  string
	Cmdline     string
	Env         map[string]string
	Facts       map[string]any
	PolicyDMI   string `json:"policy_dmi"`
	PolicyNoDMI string `json:"policy_no_dmi"`
	Expect      struct {
		Datasources []string
		RC          int
	}
}

type dsBlock struct {
	Name, Label, FSType, UUID, PartUUID string
	Other                               map[string]string
}

// oneDetection holds `ros datasource detect` to what upstream's
// ds-identify finds on machines that its tests describe.
func oneDetection(t *testing.T, bin, dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		return err
	}
	var c dsCase
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	root := t.TempDir()
	if err := c.build(root, filepath.Dir(dir)); err != nil {
		return err
	}
	return c.check(bin, root)
}

// detection is what of `ros datasource detect --output json` counts here.
type detection struct {
	Upstream struct {
		List []string `json:"datasource_list"`
		Code int      `json:"exit_code"`
	}
}

func (c *dsCase) check(bin, root string) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(bin, "datasource", "detect", "--root", root, "--output", "json")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runErr := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](runErr); runErr != nil && !ok {
		return runErr
	}
	var got detection
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		return fmt.Errorf("%w: %s", err, stderr.String())
	}
	if got.Upstream.Code != c.Expect.RC {
		return fmt.Errorf("exit code %d %v, want %d %v", got.Upstream.Code, got.Upstream.List, c.Expect.RC, c.Expect.Datasources)
	}
	if c.Expect.Datasources != nil && !slices.Equal(got.Upstream.List, c.Expect.Datasources) {
		return fmt.Errorf("found %v, want %v", got.Upstream.List, c.Expect.Datasources)
	}
	return nil
}

// build makes the recording of the case's machine.
func (c *dsCase) build(dir, corpus string) error {
	root := filepath.Join(dir, "host")
	for _, d := range append(c.Dirs, "proc") {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{"proc/cmdline": c.Cmdline + "\n"}
	for name, content := range c.Files {
		files[name] = content
	}
	if _, ok := files["etc/cloud/cloud.cfg"]; !ok {
		b, err := os.ReadFile(filepath.Join(corpus, "default-cloud.cfg"))
		switch {
		case err == nil:
			files["etc/cloud/cloud.cfg"] = string(b)
		case !errors.Is(err, os.ErrNotExist): // without it, all are looked for
			return err
		}
	}
	c.policy(files)
	c.evidence(files)
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(content, "@ROOT@", "")), 0o644); err != nil {
			return err
		}
	}
	b, err := json.Marshal(c.facts())
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "facts.json"), b, 0o644)
}

// policy writes the policy that upstream has built in where the case says so.
// What the machine's own config says of it goes before that.
func (c *dsCase) policy(files map[string]string) {
	builtin := c.PolicyNoDMI // of machine types that upstream expects no firmware strings of
	if c.Arch == "x86_64" || regexp.MustCompile(`^i.86$`).MatchString(c.Arch) {
		builtin = c.PolicyDMI
	}
	if builtin == "" {
		return
	}
	const config = "etc/cloud/ds-identify.cfg"
	own := regexp.MustCompile(`(?m)^(\s*policy\s*:\s*["']?)`)
	if own.MatchString(files[config]) {
		files[config] = own.ReplaceAllString(files[config], "${1}"+builtin+",")
	} else {
		files[config] = strings.TrimRight(files[config], "\n") + "\npolicy: " + builtin + "\n"
	}
	files["proc/cmdline"] = strings.ReplaceAll(files["proc/cmdline"], "ci.di.policy=", "ci.di.policy="+builtin+",")
}

// evidence turns what the case pretends into files.
func (c *dsCase) evidence(files map[string]string) {
	if c.Facts["lxd_socket"] == true {
		files["dev/lxd/sock"] = ""
	}
	if c.Facts["ibm_provisioning"] == true {
		files["root/provisioningConfiguration.cfg"] = ""
	}
	for _, key := range []string{"dmidecode_value", "kenv_value"} {
		if v, ok := c.Facts[key].(string); ok {
			files["sys/class/dmi/id/sys_vendor"] = v + "\n"
		}
	}
}

func (c *dsCase) facts() datasources.Facts {
	f := datasources.Facts{Virt: c.Virt, Arch: c.Arch, Env: map[string]string{}, GuestInfo: map[string]string{}}
	for k, v := range c.Env {
		f.Env[k] = v
	}
	for _, b := range c.Blkid {
		f.Blocks = append(f.Blocks, datasources.Block{
			Name: strings.TrimPrefix(b.Name, "/dev/"), Label: b.Label, FSType: b.FSType, UUID: b.UUID, PartUUID: b.PartUUID,
			LabelFATBoot: b.Other["LABEL_FATBOOT"],
		})
	}
	if c.Facts["vmx_guestinfo_env"] == true {
		f.Env["VMX_GUESTINFO"] = "1"
	}
	// A machine without VMware's tools has no answer of them.
	asks := c.Facts["vmware_rpctool"] != false || c.Facts["vmware_vmtoolsd"] != false
	for _, key := range []string{"metadata", "userdata", "vendordata"} {
		if v, ok := c.Facts["guestinfo_"+key].(string); ok && asks {
			f.GuestInfo[key] = v
		}
		if c.Facts["vmx_guestinfo_env_"+key] == true {
			f.Env["VMX_GUESTINFO_"+strings.ToUpper(key)] = "1"
		}
	}
	if v, ok := c.Facts["ovf_guestinfo"].(string); ok {
		f.GuestInfo["ovfEnv"] = v
	}
	for fact, env := range map[string]string{"wsl_path": "WSL_PATH", "wsl_profile_dir": "USERPROFILE"} {
		if v, ok := c.Facts[fact].(string); ok {
			f.Env[env] = strings.ReplaceAll(v, "@ROOT@", "")
		}
	}
	return f
}
