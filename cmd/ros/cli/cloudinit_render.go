package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig/ignition"
	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/fetch"
)

// maxRenderInput is the largest file that render reads, in bytes.
const maxRenderInput = 64 << 20

// renderOptions are the flags of `ros cloud-init render`.
type renderOptions struct {
	vendor, vendor2, instance string
	launchIndex               string
	output                    string
	decode, offline           bool
}

// rendered is what `ros cloud-init render --output json` prints.
type rendered struct {
	Version int             `json:"version"`
	Config  json.RawMessage `json:"config"`
	// Origins says by dotted path where a value was written.
	Origins   map[string]userdata.Origin `json:"origins"`
	Scripts   []renderedScript           `json:"scripts"`
	Boothooks []renderedScript           `json:"boothooks"`
	Imports   []*ignition.Import         `json:"imports,omitempty"`
	Parts     []userdata.Part            `json:"parts"`
	Problems  []userdata.Problem         `json:"problems"`
}

type renderedScript struct {
	Name      string   `json:"name"`
	Mode      string   `json:"mode"`
	Content   string   `json:"content"`
	Frequency string   `json:"frequency"`
	Vendor    bool     `json:"vendor"`
	Prefix    []string `json:"prefix,omitempty"`
	Part      int      `json:"part"`
}

func newCloudInitRender() *cobra.Command {
	var o renderOptions
	c := &cobra.Command{
		Use:   "render FILE...",
		Short: "Print the one cloud-config that user-data of any kind means",
		Long: `Print the one cloud-config that user-data of any kind means.

Reads #cloud-config, archives, MIME messages, gzip and zstd, #include, JSON
patches, Jinja templates, scripts, #compose, CoreOS cloud-config and Ignition.
Several files are read like several parts; "-" is standard input. Nothing is run
and nothing on this machine is changed. Problems go to standard error.

Exit code 1 says that a part was refused; what the others mean is still printed.`,
		Example: `  ros cloud-init render user-data
  ros cloud-init render user-data --vendor-data vendor-data --instance-data /run/cloud-init/instance-data.json
  ros cloud-init render --output json config.ign`,
		Args: renderArgs,
		RunE: func(c *cobra.Command, args []string) error { return render(c, args, o) },
	}
	f := c.Flags()
	f.StringVar(&o.vendor, "vendor-data", "", "`file` with vendor data, which user-data beats")
	f.StringVar(&o.vendor2, "vendor-data2", "", "`file` with vendor data that beats --vendor-data")
	f.StringVar(&o.instance, "instance-data", "", "`file` instance-data.json, for templates and the launch index")
	f.StringVar(&o.launchIndex, "launch-index", "", "leave out parts that are for another launch `index`")
	f.BoolVar(&o.decode, "decode-base64", false, "undo base64 around the user-data, as some clouds hand it out")
	f.BoolVar(&o.offline, "offline", false, "fetch nothing: refuse #include and remote sources")
	f.StringVarP(&o.output, "output", "o", "yaml", "yaml or json")
	return c
}

// renderArgs: wrong usage is exit code 2.
func renderArgs(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return &ExitError{2, errors.New("name at least one file with user-data; see `ros cloud-init render --help`")}
	}
	return nil
}

func render(c *cobra.Command, args []string, o renderOptions) error {
	if o.output != "yaml" && o.output != "json" {
		return &ExitError{2, fmt.Errorf("--output %s: it is yaml or json", o.output)}
	}
	in, err := renderInput(c, args, o)
	if err != nil {
		return err
	}
	opts := userdata.Options{LaunchIndex: o.launchIndex, DecodeIfBase64: o.decode, IncludeTime: time.Minute}
	if !o.offline {
		opts.Fetch = fetch.HTTP(fetch.Options{Retries: 2})
	}
	r, err := userdata.Parse(c.Context(), in, opts)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = renderJSON(c.OutOrStdout(), r)
	} else {
		err = renderYAML(c.OutOrStdout(), r)
	}
	if err != nil {
		return err
	}
	refused := 0
	for _, p := range r.Problems {
		fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", p.Severity, p)
		if p.Severity == userdata.Error {
			refused++
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of the problems above cost the parts that they name: those are left out", refused)
	}
	return nil
}

func renderInput(c *cobra.Command, args []string, o renderOptions) (in userdata.Input, err error) {
	for _, f := range []struct {
		name string
		to   *[]byte
	}{{o.vendor, &in.VendorData}, {o.vendor2, &in.VendorData2}, {o.instance, &in.InstanceData}} {
		if f.name == "" {
			continue
		}
		if *f.to, err = renderFile(c, f.name); err != nil {
			return in, err
		}
	}
	for _, name := range args {
		data, err := renderFile(c, name)
		if err != nil {
			return in, err
		}
		in.More = append(in.More, data)
	}
	return in, nil
}

func renderFile(c *cobra.Command, name string) ([]byte, error) {
	r := c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxRenderInput+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxRenderInput {
		return nil, fmt.Errorf("read %s: larger than %d MB", name, maxRenderInput>>20)
	}
	return data, nil
}

func renderJSON(w io.Writer, r *userdata.Result) error {
	config, err := document.JSON(r.Config)
	if err != nil {
		return err
	}
	out := rendered{
		Version: 1, Config: config, Origins: r.Origins, Imports: r.Imports,
		Scripts: scriptsOf(r.Scripts), Boothooks: scriptsOf(r.Boothooks),
		Parts: append([]userdata.Part{}, r.Parts...), Problems: append([]userdata.Problem{}, r.Problems...),
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func scriptsOf(list []userdata.Script) []renderedScript {
	out := []renderedScript{}
	for _, s := range list {
		out = append(out, renderedScript{s.Name, "0700", string(s.Content), s.Frequency, s.Vendor, s.Prefix, s.Part})
	}
	return out
}

// renderYAML prints the config as a #cloud-config; the rest stands above it in
// comments.
func renderYAML(w io.Writer, r *userdata.Result) error {
	data, err := document.YAML(r.Config)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("#cloud-config\n")
	for _, s := range r.Boothooks {
		fmt.Fprintf(&b, "# boothook %s, %d bytes\n", s.Name, len(s.Content))
	}
	for _, s := range r.Scripts {
		from := ""
		if s.Vendor {
			from = ", from the vendor"
		}
		fmt.Fprintf(&b, "# script %s, %s, %d bytes%s\n", s.Name, s.Frequency, len(s.Content), from)
	}
	for _, im := range r.Imports {
		fmt.Fprintf(&b, "# ignition %s: %d files, %d directories, %d links, %d units; see --output json\n",
			im.Version, len(im.Files), len(im.Directories), len(im.Links), len(im.Units))
	}
	b.Write(data)
	_, err = w.Write(b.Bytes())
	return err
}
