package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// insideRow is what is given to a function of RancherOS.
type insideRow struct {
	Value, Match, MAC, T, Name, Bond, Input string
	IsValid                                 bool
	In                                      json.RawMessage
	Opts, Opt, Attr                         []string
	HW                                      *struct{ Args [][]int }
	E                                       *string
}

// inside knows functions whose outcome another command of ours shows: which
// words a config may have, which device a match finds, what the kernel command
// line names. Nil: there is none.
func (c *sourceCase) inside() func(bin, dir string) error {
	name := strings.TrimPrefix(c.Name, "rancher-")
	for prefix, check := range map[string]func(bin, dir string) error{
		"config-file-encoding_valid":             c.validates("write_files: [{path: /a, content: '', encoding: %q}]\n"),
		"config-file-raw_file_permissions_valid": c.validates("write_files: [{path: /a, content: '', permissions: %q}]\n"),
		"netconf-netconf_linux-find_match":       c.finds,
		"proccmdline-proc_cmdline-parse":         c.names,
		"network-stanza-":                        c.stanza,
		"nocloud-parse_cmdline_data":             c.cmdlines,
	} {
		if strings.HasPrefix(name, prefix) {
			return check
		}
	}
	return nil
}

func (c *sourceCase) row() (r insideRow, err error) {
	return r, json.Unmarshal(c.Given, &r)
}

// validates holds `ros config validate` to whether a value is good.
func (c *sourceCase) validates(form string) func(bin, dir string) error {
	return func(bin, dir string) error {
		r, err := c.row()
		if err != nil {
			return err
		}
		file := filepath.Join(dir, "config.yml")
		if err := os.WriteFile(file, fmt.Appendf(nil, form, r.Value), 0o600); err != nil {
			return err
		}
		out, err := exec.Command(bin, "config", "validate", "--as", "cloud-config", file).CombinedOutput()
		if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
			return err
		}
		if (err == nil) != r.IsValid {
			return fmt.Errorf("valid is %t, want %t: %s", err == nil, r.IsValid, out)
		}
		return nil
	}
}

// finds holds `ros network plan` to which device a match finds.
func (c *sourceCase) finds(bin, dir string) error {
	r, err := c.row()
	if err != nil {
		return err
	}
	var want struct{ Expected bool }
	if err := json.Unmarshal(c.Want, &want); err != nil {
		return err
	}
	n := netCase{bin: bin, dir: dir, tmp: dir}
	file := filepath.Join(dir, "config.yml")
	config := fmt.Sprintf("rancher: {network: {interfaces: {x: {match: %q, dhcp: true}}}}\n", r.Match)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	p, err := n.plan(map[string]string{r.MAC: r.Name}, "--config", file)
	if err != nil {
		return err
	}
	// A bond is none of the machine's cards: no match finds it.
	found := len(p.Links) == 1 && p.Links[0].Name == r.Name && r.T != "bond"
	return same("found", found, want.Expected)
}

// names holds `ros datasource detect` to the URL that the kernel command line
// names.
func (c *sourceCase) names(bin, dir string) error {
	r, err := c.row()
	if err != nil {
		return err
	}
	var want struct{ Expect string }
	if err := json.Unmarshal(c.Want, &want); err != nil {
		return err
	}
	found, err := detects(bin, dir, r.Input)
	if err != nil {
		return err
	}
	_, url, _ := strings.Cut(found["cmdline"], "cloud-config-url=")
	return same("URL", url, want.Expect)
}

// cmdlines holds `ros datasource detect` to whether command lines name NoCloud.
func (c *sourceCase) cmdlines(bin, dir string) error {
	for i, call := range c.Calls {
		var line, id string
		if json.Unmarshal(call.Kwargs["cmdline"], &line) != nil || json.Unmarshal(call.Kwargs["ds_id"], &id) != nil {
			return errNotOurs
		}
		ours := strings.NewReplacer(id, "ds=nocloud", "ds=nocloud", "ds=other").Replace(line)
		found, err := detects(bin, filepath.Join(dir, fmt.Sprint(i)), ours)
		if err != nil {
			return err
		}
		// Of words that only begin so (ds=nocloud-net) the source's function
		// knows nothing, but its datasource asks it again.
		asks := false
		for _, w := range strings.Fields(line) {
			w, _, _ = strings.Cut(w, ";")
			asks = asks || w == id || w == id+"-net"
		}
		if got := found["nocloud"] != ""; got != asks {
			return fmt.Errorf("%q names NoCloud: %t, want %t", line, got, asks)
		}
	}
	return nil
}

// detects is the evidence by datasource on a machine with that command line.
func detects(bin, dir, cmdline string) (map[string]string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "host/proc"), 0o755); err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"facts.json": `{"virt": "kvm"}`, "host/proc/cmdline": cmdline + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(bin, "datasource", "detect", "--root", dir, "--output", "json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if _, ok := errors.AsType[*exec.ExitError](cmd.Run()); !ok && stdout.Len() == 0 {
		return nil, errors.New(stderr.String())
	}
	var got struct {
		Candidates []struct{ Name, Evidence string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	found := map[string]string{}
	for _, c := range got.Candidates {
		found[c.Name] = c.Evidence
	}
	return found, nil
}

// stanza puts one stanza of ifupdown on a config drive: it is read, or it is a
// problem.
func (c *sourceCase) stanza(bin, dir string) error {
	r, err := c.row()
	if err != nil {
		return err
	}
	words, options := r.Attr, append(r.Opt, r.Opts...)
	if len(words) == 0 {
		_ = json.Unmarshal(r.In, &words) // of another form: a stanza without words
	}
	c.rec = recording{dir: dir, arch: "x86_64"}
	if err := c.recordInterfaces("iface " + strings.Join(append([]string{strings.Join(words, " ")}, options...), "\n    ") + "\n"); err != nil {
		return err
	}
	if err := c.rec.write(); err != nil {
		return err
	}
	got, err := c.rec.fetch(bin, "http://127.0.0.1:9")
	bad := err != nil || len(got["problems"]) > 0
	if bad != (r.E != nil) {
		return fmt.Errorf("%w: %s; want an error %t", err, got["problems"], r.E != nil)
	}
	if r.HW == nil || len(r.HW.Args) == 0 {
		return nil
	}
	var mac []string
	for _, b := range r.HW.Args[0] {
		mac = append(mac, fmt.Sprintf("%02x", b))
	}
	if !strings.Contains(string(got["network"]), strings.Join(mac, ":")) {
		return fmt.Errorf("network is %s, want the address %s in it", got["network"], strings.Join(mac, ":"))
	}
	return nil
}
