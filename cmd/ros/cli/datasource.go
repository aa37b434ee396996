package cli

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rancheros/datasources"
	"rancheros/datasources/all"
)

// newDatasource is `ros datasource`.
func newDatasource() *cobra.Command {
	c := &cobra.Command{
		Use:   "datasource",
		Short: "Find out which cloud this machine is in and what that says of it",
		Example: `  ros datasource detect
  ros datasource fetch ec2
  ros datasource fetch nocloud:/mnt/seed --output json`,
	}
	c.AddCommand(newDatasourceDetect(), newDatasourceFetch(), newDatasourceList())
	return c
}

// hostAt is this machine, or the one recorded in a folder.
func hostAt(root string) (*datasources.Host, error) {
	if root == "" || root == "/" {
		return datasources.ThisHost(), nil
	}
	return datasources.RecordedHost(root)
}

func newDatasourceDetect() *cobra.Command {
	var root, output string
	c := &cobra.Command{
		Use:   "detect",
		Short: "Say which datasources this machine has, and the evidence",
		Long: `Detect looks at what the machine itself shows: firmware strings, drives, files,
the kernel command line. It asks nobody and changes nothing.

The first line is what would be tried first. The exit code is 1 when there is no
datasource or cloud-init is switched off.

With --output json: {version, found, disabled, limited_by, candidates: [{name,
upstream, match, needs, evidence, named}], upstream: {datasource_list, exit_code}};
upstream is what cloud-init's own ds-identify would say.`,
		Example: `  ros datasource detect
  ros datasource detect --root recordings/machine-7 --output json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			h, err := hostAt(root)
			if err != nil {
				return err
			}
			choice, err := datasources.Choose(h, all.Kinds(), nil)
			if err != nil {
				return err
			}
			return printChoice(c.OutOrStdout(), h, choice, output)
		},
	}
	c.Flags().StringVar(&root, "root", "/", "root of the machine to look at, or the folder of a recording")
	addOutput(c, &output)
	return c
}

// detected is the shape of `detect --output json`.
type detected struct {
	Version    int                 `json:"version"`
	Found      bool                `json:"found"`
	Disabled   string              `json:"disabled,omitempty"`
	LimitedBy  string              `json:"limited_by,omitempty"`
	Candidates []detectedCandidate `json:"candidates"`
	Upstream   detectedUpstream    `json:"upstream"`
}

type detectedCandidate struct {
	Name     string            `json:"name"`
	Upstream string            `json:"upstream,omitempty"`
	Match    datasources.Match `json:"match"`
	Needs    datasources.Needs `json:"needs"`
	Evidence string            `json:"evidence,omitempty"`
	Named    bool              `json:"named,omitempty"`
}

type detectedUpstream struct {
	List []string `json:"datasource_list"`
	Code int      `json:"exit_code"`
}

func printChoice(w io.Writer, h *datasources.Host, choice datasources.Choice, output string) error {
	d := detected{Version: 1, Disabled: choice.Disabled, LimitedBy: choice.By, Candidates: []detectedCandidate{}}
	d.Upstream.List, d.Upstream.Code = choice.Upstream()
	for _, c := range choice.Candidates {
		d.Candidates = append(d.Candidates, detectedCandidate{c.Name, c.Kind.Upstream, c.Match, c.NeedsHere(h), c.Evidence, c.Named})
	}
	d.Found = len(d.Candidates) > 0 && d.Disabled == "" && choice.Unknown == nil
	if output == "json" {
		if err := writeJSON(w, d); err != nil {
			return err
		}
	} else {
		printDetected(w, d)
	}
	switch {
	case d.Disabled != "":
		return fmt.Errorf("%w by %s", datasources.ErrDisabled, d.Disabled)
	case choice.Unknown != nil:
		return choice.Unknown
	case !d.Found:
		return fmt.Errorf("%w: %s", datasources.ErrNone, seen(h))
	}
	return nil
}

// seen is what there was to go by, for who wonders why nothing was found.
func seen(h *datasources.Host) string {
	var firmware, labels []string
	for _, key := range []string{"sys_vendor", "product_name", "chassis_asset_tag", "product_serial"} {
		if v := h.DMI(key); v != "" {
			firmware = append(firmware, fmt.Sprintf("%s %q", key, v))
		}
	}
	for _, b := range h.Blocks {
		if b.Label != "" {
			labels = append(labels, b.Label)
		}
	}
	return fmt.Sprintf("firmware says %s; drives are labelled %s; the kernel command line names none (ds=NAME). "+
		"To ask one all the same: `ros datasource fetch NAME`", orNothing(firmware), orNothing(labels))
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

func printDetected(w io.Writer, d detected) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range d.Candidates {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.Match, c.Evidence)
	}
	t.Flush()
}

func newDatasourceFetch() *cobra.Command {
	var root, output, endpoint string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "fetch NAME[:ARGUMENT]",
		Short: "Print what a datasource says of this machine",
		Long: `Fetch asks one datasource and prints the instance as we understand it: its ID,
host name, public keys, network (as network-config version 2), user-data and
vendor-data. It keeps nothing and changes nothing. Secrets are not printed.

With --output json: version 1 of the shape in docs/datasources.md.`,
		Example: `  ros datasource fetch ec2
  ros datasource fetch nocloud:http://192.0.2.1/seeds/box/
  ros datasource fetch gce --root recordings/machine-7 --endpoint http://127.0.0.1:8080`,
		Args:              oneName,
		ValidArgsFunction: oneWord(datasourceNames),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEndpoint(endpoint); err != nil {
				return err
			}
			h, err := hostAt(root)
			if err != nil {
				return err
			}
			r, err := datasources.Pick(c.Context(), datasources.PickInput{
				Host: h, Kinds: all.Kinds(), Named: args, Only: true, Timeout: timeout,
				Env: datasources.Env{Endpoint: endpoint, Version: Version, Log: slog.New(slog.NewTextHandler(c.ErrOrStderr(), nil))},
			})
			if err != nil {
				return err
			}
			d, err := r.Instance.Document()
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(c.OutOrStdout(), d)
			}
			return printInstance(c.OutOrStdout(), d)
		},
	}
	c.Flags().StringVar(&root, "root", "/", "root of the machine that asks, or the folder of a recording")
	c.Flags().StringVar(&endpoint, "endpoint", "", "`URL` to ask instead of the cloud's own service")
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "when to give up")
	addOutput(c, &output)
	return c
}

func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &ExitError{2, fmt.Errorf("want the name of one datasource; see `ros datasource list`")}
	}
	return nil
}

// checkEndpoint refuses what could only fail after minutes.
func checkEndpoint(s string) error {
	if s == "" {
		return nil
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return &ExitError{2, fmt.Errorf("--endpoint %q is no URL; write it as http://127.0.0.1:8080", s)}
	}
	return nil
}

func datasourceNames() []string {
	var names []string
	for _, k := range all.Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// printInstance prints what is set, long texts last.
func printInstance(w io.Writer, d datasources.Document) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range [][2]string{
		{"datasource", d.Datasource}, {"from", d.Subplatform}, {"instance-id", d.InstanceID}, {"hostname", d.Hostname},
		{"region", d.Region}, {"zone", d.Zone}, {"instance-type", d.InstanceType},
		{"public-ipv4", d.PublicIPv4}, {"private-ipv4", d.PrivateIPv4}, {"public-ipv6", d.PublicIPv6}, {"private-ipv6", d.PrivateIPv6},
		{"user", d.User},
	} {
		if f[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", f[0], f[1])
		}
	}
	for _, k := range d.PublicKeys {
		fmt.Fprintf(t, "public-key\t%s\n", k)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Network != nil {
		fmt.Fprintln(w, "\nnetwork:")
		if err := writeJSON(w, d.Network); err != nil {
			return err
		}
	}
	for _, f := range [][3]string{
		{"user-data", d.UserData, d.UserDataBase64}, {"vendor-data", d.VendorData, d.VendorDataBase64}, {"vendor-data2", d.VendorData2, d.VendorData2Base64},
	} {
		if f[1] != "" {
			fmt.Fprintf(w, "\n%s:\n%s\n", f[0], strings.TrimRight(f[1], "\n"))
		}
		if f[2] != "" {
			fmt.Fprintf(w, "\n%s (base64):\n%s\n", f[0], f[2])
		}
	}
	return nil
}

func newDatasourceList() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "list",
		Short: "List the datasources in the order in which they are tried",
		Long: `List prints each datasource's name, cloud-init's name of it, and what must work
before it can be asked: nothing (local), a link, or the network.

With --output json: {version, datasources: [{name, upstream, aliases, needs,
explicit}]}; explicit ones are only tried when they are named.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printKinds(c.OutOrStdout(), output)
		},
	}
	addOutput(c, &output)
	return c
}

func printKinds(w io.Writer, output string) error {
	type kind struct {
		Name     string            `json:"name"`
		Upstream string            `json:"upstream,omitempty"`
		Aliases  []string          `json:"aliases,omitempty"`
		Needs    datasources.Needs `json:"needs"`
		Explicit bool              `json:"explicit,omitempty"`
	}
	if output == "json" {
		list := []kind{}
		for _, k := range all.Kinds() {
			list = append(list, kind{k.Name, k.Upstream, k.Aliases, k.Needs, k.Explicit})
		}
		return writeJSON(w, map[string]any{"version": 1, "datasources": list})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tCLOUD-INIT\tNEEDS")
	for _, k := range all.Kinds() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", k.Name, k.Upstream, k.Needs)
	}
	return t.Flush()
}
