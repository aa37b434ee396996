package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/network"
	"rancheros/netconf"
)

// newNetwork is `ros network`.
func newNetwork() *cobra.Command {
	c := &cobra.Command{
		Use:   "network",
		Short: "Show and change the network of this machine",
		Example: `  ros network plan --config netplan.yaml
  ros network status
  sudo ros network apply --confirm 60s && sudo ros network confirm`,
	}
	c.AddCommand(newNetworkPlan(), newNetworkStatus(), newNetworkApply(), newNetworkConfirm())
	return c
}

// planInput is where `plan` and `apply` take a config from.
type planInput struct {
	config, as, root string
	links            string
	output           string
}

func newNetworkPlan() *cobra.Command {
	var in planInput
	c := &cobra.Command{
		Use:   "plan",
		Short: "Print what a network config means: links, addresses, routes, rules, name servers",
		Long: `Plan reads a network config of any kind and prints what it means on this
machine, and the steps from what is to what it says. It changes nothing.

The config is network-config version 1 or 2 (YAML or JSON), OpenStack's
network_data.json, a kernel command line with ip=, a net-*.conf file of an
initramfs, or a cloud-config with rancher.network. Without --config it is this machine's own; with --root it is what
the kernel command line and the initramfs say below that folder.

The exit code is 1 when the config is not valid.`,
		Example: `  ros network plan --config network-config.yaml
  ros network plan --config network_data.json --links links.json --output json
  ros network plan --root /mnt/machine --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			have, err := planLinks(in.links)
			if err != nil {
				return err
			}
			cfg, format, problems, err := in.read(c.InOrStdin(), have)
			if err != nil {
				return err
			}
			doc := netconf.Describe(cfg, have)
			doc.Format = format
			// An empty list stays one: it is no null in JSON.
			doc.Problems = slices.Insert(doc.Problems, 0, problems...)
			if err := printPlan(c.OutOrStdout(), doc, in.output); err != nil {
				return err
			}
			if network.HasErrors(problems) {
				return &ExitError{1, errors.New("the network config is not valid: " + firstNetworkError(problems))}
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&in.config, "config", "", "the config to read, - for standard input; default: this machine's own")
	f.StringVar(&in.as, "as", "", "its format, if it cannot be told by its content: "+networkFormats())
	f.StringVar(&in.links, "links", "", `the machine's links as JSON: [{"name": "eth0", "mac": "52:54:00:12:34:56", "driver": "virtio_net"}]; default: those of this machine`)
	f.StringVar(&in.root, "root", "", "read proc/cmdline and run/net-*.conf below this folder")
	f.StringVar(&in.output, "output", "text", "text or json")
	return c
}

// planLinks are the links of a file, or of this machine.
func planLinks(file string) (netconf.State, error) {
	if file == "" {
		return netconf.Read()
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return netconf.State{}, fmt.Errorf("read links: %w", err)
	}
	var links []netconf.Link
	if err := json.Unmarshal(b, &links); err != nil {
		return netconf.State{}, fmt.Errorf("read links from %s: %w; it should be a list of {name, mac, driver}", file, err)
	}
	for i := range links {
		links[i].MAC = strings.ToLower(links[i].MAC)
		if links[i].Kind == "" {
			links[i].Kind = network.Physical
		}
	}
	return netconf.State{Links: links}, nil
}

// read reads the config that the flags name.
func (in planInput) read(stdin io.Reader, have netconf.State) (*network.Config, string, []network.Problem, error) {
	macs, names := map[string]string{}, map[string]string{}
	for _, l := range have.Links {
		macs[l.MAC], names[l.Name] = l.Name, l.MAC
	}
	switch {
	case in.root != "":
		cfg, problems := network.FromKernel(initramfsBelow(in.root, names))
		if cfg == nil {
			cfg = &network.Config{}
		}
		return cfg, network.FormatKernel, problems, nil
	case in.config == "":
		s, err := netconf.Load("/")
		if err != nil {
			return nil, "", nil, fmt.Errorf("this machine's config: %w", err)
		}
		return s.Network, "config", s.Problems, nil
	}
	doc, err := readNetworkDocument(in.config, stdin)
	if err != nil {
		return nil, "", nil, err
	}
	if in.as == formatCloudConfig || in.as == "" && isCloudConfig(doc) {
		s, problems := networkOf(in.config, doc)
		return s.Network, formatCloudConfig, append(problems, s.Problems...), nil
	}
	cfg, format, problems := network.Read(doc, in.as, macs)
	for i := range problems {
		problems[i].File = in.config
	}
	return cfg, format, problems, nil
}

// formatCloudConfig is a cloud-config with a rancher.network.
const formatCloudConfig = "cloud-config"

func isCloudConfig(doc []byte) bool {
	return bytes.HasPrefix(doc, []byte("#cloud-config")) || bytes.HasPrefix(doc, []byte("rancher:")) || bytes.Contains(doc, []byte("\nrancher:"))
}

// networkOf takes the network out of a cloud-config.
func networkOf(file string, doc []byte) (netconf.Settings, []network.Problem) {
	c, _, err := cloudconfig.Resolve(cloudconfig.Layer{Name: "file", File: file, YAML: doc})
	var found cloudconfig.Problems
	var problems []network.Problem
	if errors.As(err, &found) {
		for _, p := range found {
			problems = append(problems, network.Problem{
				File: p.File, Line: p.Line, Column: p.Column, Path: p.Path, Message: p.Message, Suggestion: p.Suggestion,
				Severity: network.Severity(p.Severity),
			})
		}
	} else if err != nil {
		problems = append(problems, network.Problem{File: file, Message: err.Error(), Severity: network.Error})
	}
	return netconf.FromConfig(c), problems
}

// networkFormats are the names that --as takes.
func networkFormats() string { return strings.Join(append(network.Formats(), formatCloudConfig), ", ") }

// maxNetworkDocument bounds what is read into memory.
const maxNetworkDocument = 8 << 20

func readNetworkDocument(file string, stdin io.Reader) ([]byte, error) {
	r := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("read network config: %w", err)
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, maxNetworkDocument))
	if err != nil {
		return nil, fmt.Errorf("read network config: %w", err)
	}
	return b, nil
}

// initramfsBelow collects what the kernel and an initramfs left below root.
func initramfsBelow(root string, names map[string]string) network.Initramfs {
	in := network.Initramfs{Files: map[string][]byte{}, MACs: names}
	if b, err := os.ReadFile(filepath.Join(root, "proc/cmdline")); err == nil {
		in.Cmdline = string(b)
	}
	run := os.DirFS(filepath.Join(root, "run"))
	for _, pattern := range []string{"net-*.conf", "net6-*.conf", "initramfs/open-iscsi.interface"} {
		found, err := fs.Glob(run, pattern)
		if err != nil {
			continue
		}
		for _, name := range found {
			if b, err := fs.ReadFile(run, name); err == nil {
				in.Files[name] = b
			}
		}
	}
	return in
}

func firstNetworkError(ps []network.Problem) string {
	for _, p := range ps {
		if p.Severity == network.Error {
			return p.String()
		}
	}
	return ""
}

func printPlan(w io.Writer, doc netconf.Document, output string) error {
	switch output {
	case "json":
		return printNetworkJSON(w, doc)
	case "text":
		return printPlanText(w, doc)
	}
	return &ExitError{2, fmt.Errorf("--output is %q; text and json are possible", output)}
}

func printNetworkJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printPlanText(w io.Writer, doc netconf.Document) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LINK\tKIND\tDEVICE\tADDRESSES")
	for _, l := range doc.Links {
		device := l.Device
		if device == "" {
			device = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", l.Name, l.Kind, device, strings.Join(networkWays(l), ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	section := func(title string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(w, "\n%s\n  %s\n", title, strings.Join(lines, "\n  "))
		}
	}
	var routes, rules, problems []string
	for _, l := range doc.Links {
		for _, r := range l.Routes {
			routes = append(routes, netconf.RouteString(r)+" dev "+l.Name)
		}
	}
	for _, r := range doc.Routes {
		routes = append(routes, netconf.RouteString(r))
	}
	for _, r := range doc.Rules {
		rules = append(rules, netconf.RuleString(r))
	}
	for _, p := range doc.Problems {
		problems = append(problems, string(p.Severity)+": "+p.String())
	}
	section("ROUTES", routes)
	section("RULES", rules)
	section("NAMES", networkNames(doc))
	section("STEPS", doc.Steps)
	section("PROBLEMS", problems)
	return nil
}

// networkWays are the addresses of a link and how it gets others.
func networkWays(l netconf.DocLink) []string {
	var out []string
	for _, w := range []struct {
		name string
		set  bool
	}{{"dhcp4", l.DHCP4}, {"dhcp6", l.DHCP6}, {l.IPv6Mode, l.IPv6Mode != ""}, {"ipv4ll", l.IPv4LL}, {"manual", l.Manual}} {
		if w.set {
			out = append(out, w.name)
		}
	}
	for _, a := range l.Addresses {
		out = append(out, a.String())
	}
	if l.Master != "" {
		out = append(out, "in "+l.Master)
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	return out
}

func networkNames(doc netconf.Document) []string {
	var out []string
	line := func(who string, d network.DNS) {
		if len(d.Nameservers)+len(d.Search) > 0 {
			line := who + ": " + strings.Join(d.Nameservers, " ")
			if len(d.Search) > 0 {
				line += " search " + strings.Join(d.Search, " ")
			}
			out = append(out, strings.TrimSpace(line))
		}
	}
	line("all", doc.DNS)
	for _, l := range doc.Links {
		line(l.Name, l.DNS)
	}
	return out
}
