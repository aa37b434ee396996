package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// renderedData is what `ros cloud-init render --output json` prints.
type renderedData struct {
	Config  map[string]any `json:"config"`
	Scripts []struct {
		Name, Mode, Content string
		Vendor              bool
	} `json:"scripts"`
	Parts []struct {
		Type, Declared, Encoding, SHA256, Skipped string
		LaunchIndex                               string `json:"launch_index"`
		Parent                                    int
		Container, Handled                        bool
	} `json:"parts"`
	Problems []struct{ Severity, Message string } `json:"problems"`

	failed bool
	stderr string
}

// renderWith runs the command; it fails only if nothing was printed.
func renderWith(bin string, env []string, args ...string) (*renderedData, error) {
	c := exec.Command(bin, append([]string{"cloud-init", "render", "--output", "json"}, args...)...)
	c.Env = append(os.Environ(), env...)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	err := c.Run()
	r := &renderedData{failed: err != nil, stderr: stderr.String()}
	if e := json.Unmarshal(out.Bytes(), r); e != nil {
		return nil, fmt.Errorf("render %v: %w (%v): %s", args, e, err, r.stderr)
	}
	return r, nil
}

// udCase is expect.json of the corpus userdata.
type udCase struct {
	bin, dir string
	env      []string
	raw      map[string]json.RawMessage

	Config []struct {
		Path   []any
		Is     json.RawMessage
		Length *int
		Has    any
		HasNot any `json:"has_not"`
	}
	Scripts       []udScript
	VendorScripts []udScript `json:"vendor_scripts"`
	HandledParts  *int       `json:"handled_parts"`
	Empty         bool       `json:"cloud_config_empty"`
	ErrorRegex    string     `json:"error_regex"`
	Error         string
	ErrorOnFail   *bool    `json:"error_on_user_data_failure"`
	LogHas        []string `json:"log_has"`
	NoWarnings    bool     `json:"no_warnings"`
	ContentType   string   `json:"content_type"`
	Rendered      *string
	LeafParts     []struct {
		ContentType string  `json:"content_type"`
		LaunchIndex *string `json:"launch_index"`
		Encoding    string
		SHA256      string
	} `json:"leaf_parts"`
	Kept []struct {
		LaunchIndex any `json:"launch_index"`
		Parts       any
	} `json:"parts_kept_by_launch_index"`
	Convert *struct {
		DecodePaths []string `json:"decode_paths"`
	}
	HTTP map[string]struct {
		Status int
		Body   string
	}
	Parts []map[string]string
}

type udScript struct{ Name, Content, Mode string }

// oneUserData holds `ros cloud-init render` to what user-data is.
func oneUserData(t *testing.T, bin, dir string) error {
	c := udCase{bin: bin, dir: dir}
	b, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c.raw); err != nil {
		return err
	}
	return c.run(t)
}

func (c *udCase) file(name string) string { return filepath.Join(c.dir, name) }

func (c *udCase) there(name string) bool {
	_, err := os.Stat(c.file(name))
	return err == nil
}

func (c *udCase) run(t *testing.T) error {
	if len(c.HTTP) > 0 {
		s := httptest.NewServer(http.HandlerFunc(c.serve))
		defer s.Close()
		c.env = []string{"http_proxy=" + s.URL, "HTTP_PROXY=" + s.URL}
	}
	if c.Convert != nil {
		return c.variables(t)
	}
	file := c.file("user-data")
	if len(c.Parts) > 0 {
		file = filepath.Join(t.TempDir(), "user-data")
		if err := os.WriteFile(file, c.multipart(), 0o600); err != nil {
			return err
		}
	}
	args := []string{file}
	for _, f := range []string{"vendor-data", "vendor-data2", "instance-data"} {
		name := f
		if f == "instance-data" {
			name += ".json"
		}
		// A case about instance data that nobody may read has none for us.
		if c.there(name) && !strings.Contains(c.Error, "No read permission") {
			args = append(args, "--"+f, c.file(name))
		}
	}
	if c.ContentType != "" {
		args = append(args, "--offline")
	}
	if len(c.Kept) > 0 {
		return c.launchIndex(args)
	}
	r, err := renderWith(c.bin, c.env, args...)
	if err != nil {
		return err
	}
	return c.check(r)
}

// serve stands in for the machines that the URLs name.
func (c *udCase) serve(w http.ResponseWriter, r *http.Request) {
	a, ok := c.HTTP[r.URL.String()]
	if !ok {
		http.NotFound(w, r)
		return
	}
	body, err := os.ReadFile(c.file(a.Body))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(body)
}

// multipart joins parts/NN with their headers.
func (c *udCase) multipart() []byte {
	var b bytes.Buffer
	b.WriteString("Content-Type: multipart/mixed; boundary=\"=====\"\nMIME-Version: 1.0\n\n")
	for i, h := range c.Parts {
		b.WriteString("--=====\n")
		for k, v := range h {
			fmt.Fprintf(&b, "%s: %s\n", k, v)
		}
		body, err := os.ReadFile(c.file(fmt.Sprintf("parts/%02d", i+1)))
		if err != nil {
			continue
		}
		b.WriteString("\n")
		b.Write(body)
		b.WriteString("\n")
	}
	b.WriteString("--=====--\n")
	return b.Bytes()
}

func (c *udCase) check(r *renderedData) error {
	for _, k := range c.Config {
		var is any
		if k.Is != nil {
			if err := json.Unmarshal(k.Is, &is); err != nil {
				return err
			}
		}
		v := at(r.Config, k.Path)
		switch {
		case k.Length != nil:
			if n := reflect.ValueOf(v).Len(); n != *k.Length {
				return fmt.Errorf("%v has length %d, want %d", k.Path, n, *k.Length)
			}
		case k.Has != nil:
			if !holds(v, k.Has) {
				return fmt.Errorf("%v = %v, want %v in it", k.Path, v, k.Has)
			}
		case k.HasNot != nil:
			if holds(v, k.HasNot) {
				return fmt.Errorf("%v = %v, want %v not in it", k.Path, v, k.HasNot)
			}
		case !reflect.DeepEqual(v, is):
			return fmt.Errorf("%v = %v, want %v", k.Path, v, is)
		}
	}
	return c.checkParts(r)
}

// checkParts compares scripts, parts and problems.
func (c *udCase) checkParts(r *renderedData) error {
	handled := 0
	var vendor, own []udScript
	for _, s := range r.Scripts {
		one := udScript{s.Name, s.Content, s.Mode}
		if s.Vendor {
			vendor = append(vendor, one)
		} else {
			own = append(own, one)
		}
	}
	for _, p := range r.Parts {
		if p.Handled && !p.Container {
			handled++
		}
	}
	switch {
	case c.Scripts != nil && !reflect.DeepEqual(own, c.Scripts):
		return fmt.Errorf("scripts = %v, want %v", own, c.Scripts)
	case c.VendorScripts != nil && !reflect.DeepEqual(vendor, c.VendorScripts):
		return fmt.Errorf("vendor scripts = %v, want %v", vendor, c.VendorScripts)
	case c.HandledParts != nil && handled != *c.HandledParts:
		return fmt.Errorf("%d parts handled, want %d", handled, *c.HandledParts)
	case c.Empty && len(r.Config) > 0:
		return fmt.Errorf("config = %v, want none", r.Config)
	case (c.ErrorRegex != "" || c.Error != "") && !r.failed:
		return fmt.Errorf("it succeeded, want an error like %q", c.ErrorRegex+c.Error)
	case len(c.LogHas) > 0 && len(r.Problems) == 0:
		return fmt.Errorf("no problem is named, want one like %q", c.LogHas)
	case c.NoWarnings && len(r.Problems) > 0:
		return fmt.Errorf("problems = %v, want none", r.Problems)
	case c.Rendered != nil && (len(own) != 1 || own[0].Content != *c.Rendered):
		return fmt.Errorf("rendered %v, want %q", own, *c.Rendered)
	case c.ContentType != "" && (len(r.Parts) == 0 || r.Parts[0].Type != c.ContentType):
		return fmt.Errorf("parts = %v, want type %s", r.Parts, c.ContentType)
	}
	return c.leaves(r)
}
