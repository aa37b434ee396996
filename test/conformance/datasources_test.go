package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sourceCase is a case of the corpus datasources.
type sourceCase struct {
	Datasource string
	Name       string
	Expect     map[string]json.RawMessage
	Mocks      map[string]json.RawMessage
	Calls      []sourceCall
	Checks     []sourceCheck
	Given      json.RawMessage
	Want       json.RawMessage
	Links      []struct {
		Name         string
		MAC          string
		PermanentMAC string `json:"permanent_mac"`
	}

	dir string
	rec recording
	// check compares in the place of compare, where it is set.
	check func(fetched, error) error
}

type sourceCheck struct {
	Of, Op string
	Value  any
}

type sourceCall struct {
	Function string
	Args     []json.RawMessage
	Kwargs   map[string]json.RawMessage
}

// An exchange is one request of http.json and its answer.
type exchange struct {
	Method, URL, Body string
	Status            int
	BodyBase64        string `json:"body_base64"`
}

// oneSource holds `ros datasource fetch` to what other projects' tests say of
// recorded metadata.
func oneSource(t *testing.T, bin, dir string) error {
	c, err := readSourceCase(dir)
	if err != nil {
		return err
	}
	return c.run(bin, t.TempDir())
}

func readSourceCase(dir string) (*sourceCase, error) {
	b, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		return nil, err
	}
	c := &sourceCase{dir: dir}
	return c, json.Unmarshal(b, c)
}

// run makes a recording of the case, asks our command, and compares.
func (c *sourceCase) run(bin, dir string) error {
	if f := c.inside(); f != nil {
		return f(bin, dir)
	}
	c.rec = recording{dir: dir, kind: ourName(c.Datasource, c.Name), arch: "x86_64"}
	if err := c.record(); err != nil {
		return err
	}
	if err := c.rec.write(); err != nil {
		return err
	}
	s := httptest.NewServer(http.HandlerFunc(c.rec.answer))
	defer s.Close()
	got, err := c.rec.fetch(bin, s.URL)
	if c.check != nil {
		return c.check(got, err)
	}
	return c.compare(got, err)
}

// ourName is our name of a case's datasource.
func ourName(name, full string) string {
	name = strings.TrimSuffix(name, "-helper")
	if name == "talos" || name == "rancher" {
		name = strings.Split(full, "-")[1]
	}
	names := map[string]string{"ibmcloud": "ibm", "alibabacloud": "aliyun", "aws": "ec2", "gcp": "gce", "hcloud": "hetzner", "equinixmetal": "packet"}
	if n, ok := names[name]; ok {
		return n
	}
	return name
}

// A recording is the folder and the server that our command sees.
type recording struct {
	dir, kind, arg, arch string
	virt                 string
	files                map[string][]byte
	links                []map[string]any
	blocks               []map[string]any
	guestinfo, env       map[string]string
	http                 []exchange
}

func (r *recording) file(name string, content []byte) {
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	r.files[name] = content
}

func (r *recording) dmi(key, value string) {
	if value != "" {
		r.file("host/sys/class/dmi/id/"+key, []byte(value+"\n"))
	}
}

func (r *recording) get(path, body string) {
	r.http = append(r.http, exchange{Method: "GET", URL: path, Status: 200, Body: body})
}

func (r *recording) write() error {
	facts, err := json.Marshal(map[string]any{"virt": r.virt, "arch": r.arch, "links": r.links, "blocks": r.blocks, "guestinfo": r.guestinfo, "env": r.env})
	if err != nil {
		return err
	}
	r.file("facts.json", facts)
	r.file("host/proc/cmdline", []byte("\n"))
	for name, content := range r.files {
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// answer serves the recorded exchanges: by path and query, else by path.
func (r *recording) answer(w http.ResponseWriter, q *http.Request) {
	path := strings.Trim(q.URL.Path, "/")
	best := -1
	for i, x := range r.http {
		u, err := url.Parse(x.URL)
		if err != nil || strings.Trim(u.Path, "/") != path || x.Method != q.Method {
			continue
		}
		exact := u.Path == q.URL.Path && u.RawQuery == q.URL.RawQuery
		if best < 0 || exact {
			best = i
		}
		if exact {
			break
		}
	}
	if best < 0 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	x := r.http[best]
	body := []byte(x.Body)
	if x.BodyBase64 != "" {
		if b, err := base64.StdEncoding.DecodeString(x.BodyBase64); err == nil {
			body = b
		}
	}
	if q.Method == http.MethodPut { // a token, and how long it holds
		w.Header().Set("X-aws-ec2-metadata-token-ttl-seconds", "21600")
	}
	w.WriteHeader(x.Status)
	w.Write(body)
}

// fetched is what of `ros datasource fetch --output json` counts here.
type fetched map[string]json.RawMessage

func (r *recording) fetch(bin, endpoint string) (fetched, error) {
	name := r.kind
	if r.arg != "" {
		name += ":" + r.arg
	}
	args := []string{"datasource", "fetch", name, "--root", r.dir, "--output", "json", "--timeout", (5 * time.Second).String(), "--endpoint", endpoint}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var got fetched
	return got, json.Unmarshal(stdout.Bytes(), &got)
}

// compare looks at what the case states and nothing else.
func (c *sourceCase) compare(got fetched, err error) error {
	if found, ok := c.Expect["found"]; ok && string(found) == "false" || c.raises() || c.expectsError() {
		if err == nil {
			return errors.New("found, want nothing")
		}
		return nil
	}
	if err != nil && c.wantsNothing() {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range []string{"instance_id", "hostname", "user_data", "vendor_data", "availability_zone", "region"} {
		if want, ok := c.Expect[key]; ok && !sameText(got[key], want) && !(key == "availability_zone" && sameText(got["region"], want)) {
			return fmt.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	if want, ok := c.Expect["public_ssh_keys"]; ok && !sameKeys(got["public_ssh_keys"], want) {
		return fmt.Errorf("public_ssh_keys is %s, want %s", got["public_ssh_keys"], want)
	}
	if want, ok := c.Expect["network_config"]; ok {
		return sameNetwork(got["network"], want)
	}
	return c.compareOthers(got)
}

// wantsNothing says whether the case states that everything stays empty.
func (c *sourceCase) wantsNothing() bool {
	for _, v := range c.Expect {
		if s := string(v); s != "null" && s != "{}" && s != `""` {
			return false
		}
	}
	return len(c.Expect) > 0
}

// raises says whether the case is about an error.
func (c *sourceCase) raises() bool {
	return slices.ContainsFunc(c.Checks, func(k sourceCheck) bool { return strings.Contains(k.Of, "exc_info") })
}

// sameText compares two texts. Absent, null and empty are the same; a mapping is
// vendor data of which only the part for cloud-init counts.
func sameText(got, want json.RawMessage) bool {
	var g, w string
	if json.Unmarshal(want, &w) != nil {
		return true
	}
	_ = json.Unmarshal(got, &g) // absent is ""
	return strings.TrimSpace(g) == strings.TrimSpace(w)
}

func sameKeys(got, want json.RawMessage) bool {
	var g, w []string
	_ = json.Unmarshal(got, &g) // absent is empty
	if json.Unmarshal(want, &w) != nil {
		return false
	}
	slices.Sort(g)
	slices.Sort(w)
	return slices.Equal(slices.Compact(g), slices.Compact(w))
}
