// Package dstest tests datasources with recordings: folders that hold what a
// machine in a cloud sees.
//
//	testdata/CASE/facts.json  what of the machine is no file (datasources.Facts)
//	testdata/CASE/host/       the machine's root: DMI strings, /proc/cmdline
//	testdata/CASE/drive/L/    the files of the drive labelled L
//	testdata/CASE/http/       what its metadata service answers; see Handler
//	testdata/CASE/want.yaml   what we should make of it; see Want
//
// The same folders are served to virtual machines that believe they are in that
// cloud.
package dstest

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A Server is http/_meta.yaml: what of the answers is not in files.
type Server struct {
	// Require are headers that a request must have, else it is 403. The value *
	// stands for any.
	Require map[string]string `yaml:"require"`
	// Header is sent with every answer, a 403 as well: by it clients know Google.
	Header map[string]string `yaml:"header"`
	// StrictSlash: a folder is absent unless the path ends in a slash.
	StrictSlash bool `yaml:"strict_slash"`
	// NoListing: a folder without a file _index is absent.
	NoListing bool `yaml:"no_listing"`
	// Recursive: a query that says recursive=true means _index?recursive=true,
	// whatever else it says: clients of Google spell it in their own ways.
	Recursive bool `yaml:"recursive"`
	// Paths have rules of their own.
	Paths map[string]Answer `yaml:"paths"`
}

// An Answer is a rule for one path.
type Answer struct {
	// Method is the only one allowed; others are 405. Empty: GET.
	Method string `yaml:"method"`
	// Require goes in the place of Server.Require if it is set.
	Require map[string]string `yaml:"require"`
	Header  map[string]string `yaml:"header"`
	Status  int               `yaml:"status"`
	// Body goes in the place of the file.
	Body *string `yaml:"body"`
}

// Handler serves a recorded metadata service. A URL path is a file below dir, or
// a folder with its listing in the file _index, without which the names in it
// are listed as EC2 does. A file NAME?QUERY goes before NAME. _meta.yaml has
// what else there is.
func Handler(dir string) (http.Handler, error) {
	var s Server
	b, err := os.ReadFile(dir + "/_meta.yaml")
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := yaml.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("%s/_meta.yaml: %w", dir, err)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	files := os.DirFS(dir)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, files) }), nil
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, files fs.FS) {
	rule, ruled := s.Paths[r.URL.Path]
	if ruled && rule.Require == nil || !ruled {
		rule.Require = s.Require
	}
	for _, h := range []map[string]string{s.Header, rule.Header} {
		for k, v := range h {
			w.Header().Set(k, v)
		}
	}
	for k, v := range rule.Require {
		if have := r.Header.Get(k); have == "" || v != "*" && have != v {
			http.Error(w, "header "+k+" is wrong or absent", http.StatusForbidden)
			return
		}
	}
	method := rule.Method
	if method == "" {
		method = http.MethodGet
	}
	if r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead) {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, found := s.content(files, r)
	if rule.Body != nil {
		body, found = []byte(*rule.Body), true
	}
	if !found && rule.Status == 0 {
		rule.Status = http.StatusNotFound
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain")
	}
	if rule.Status != 0 {
		w.WriteHeader(rule.Status)
	}
	w.Write(body)
}

// content finds the file or listing for a request.
func (s *Server) content(files fs.FS, r *http.Request) ([]byte, bool) {
	name := strings.Trim(path.Clean("/"+r.URL.Path), "/")
	if name == "" {
		name = "."
	}
	if strings.HasPrefix(path.Base(name), "_") {
		return nil, false
	}
	query := ""
	if r.URL.RawQuery != "" {
		query = "?" + r.URL.RawQuery
	}
	if s.Recursive && strings.EqualFold(r.URL.Query().Get("recursive"), "true") {
		query = "?recursive=true"
	}
	st, err := fs.Stat(files, name)
	if err == nil && st.IsDir() {
		if s.StrictSlash && !strings.HasSuffix(r.URL.Path, "/") {
			return nil, false
		}
		for _, index := range []string{"_index" + query, "_index"} {
			if b, err := fs.ReadFile(files, path.Join(name, index)); err == nil {
				return b, true
			}
		}
		if s.NoListing {
			return nil, false
		}
		return listing(files, name)
	}
	for _, n := range []string{name + query, name} {
		if b, err := fs.ReadFile(files, n); err == nil {
			return b, true
		}
	}
	return nil, false
}

func listing(files fs.FS, dir string) ([]byte, bool) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, false
	}
	var names []string
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "_"), strings.Contains(e.Name(), "?"):
		case e.IsDir():
			names = append(names, e.Name()+"/")
		default:
			names = append(names, e.Name())
		}
	}
	return []byte(strings.Join(names, "\n")), true
}
