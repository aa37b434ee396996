package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rancheros/cloudconfig/network"
	"rancheros/netconf"
	"rancheros/paths"
)

// applyPatience is how long the service may take to apply a config.
const applyPatience = 90 * time.Second

func newNetworkApply() *cobra.Command {
	var in planInput
	var confirm time.Duration
	c := &cobra.Command{
		Use:   "apply",
		Short: "Apply a network config, and take it back if it cuts the machine off",
		Long: `Apply lets the network service take a config in force: the machine's own as it
is now, or with --config one that lasts until the next start of the service.

If a default gateway answered before and none does afterwards, the old config
comes back at once and the exit code is 1. With --confirm the old config also
comes back unless ` + "`ros network confirm`" + ` is called within the time.`,
		Example: `  sudo ros config set rancher.network.interfaces.eth0.address 10.0.0.5/24
  sudo ros network apply --confirm 60s
  sudo ros network confirm`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot(); err != nil {
				return err
			}
			if confirm < 0 {
				return &ExitError{2, errors.New("--confirm is a time like 60s")}
			}
			req := netconf.Request{Do: netconf.DoApply, Confirm: confirm}
			if in.config != "" {
				cfg, err := in.candidate(c.InOrStdin())
				if err != nil {
					return err
				}
				req.Config = cfg
			}
			return applyNetwork(c.Context(), c.OutOrStdout(), req)
		},
	}
	c.Flags().StringVar(&in.config, "config", "", "the config to apply, - for standard input; default: this machine's own")
	c.Flags().StringVar(&in.as, "as", "", "its format, if it cannot be told by its content: "+networkFormats())
	c.Flags().DurationVar(&confirm, "confirm", 0, "go back after this time unless it is confirmed")
	return c
}

// candidate reads a config and refuses it if it has errors.
func (in planInput) candidate(stdin io.Reader) (*network.Config, error) {
	have, err := netconf.Read()
	if err != nil {
		return nil, err
	}
	cfg, _, problems, err := in.read(stdin, have)
	if err != nil {
		return nil, err
	}
	if network.HasErrors(problems) {
		return nil, errors.New("the network config is not valid, nothing was changed: " + firstNetworkError(problems))
	}
	return cfg, nil
}

func applyNetwork(ctx context.Context, w io.Writer, req netconf.Request) error {
	ctx, cancel := context.WithTimeout(ctx, applyPatience)
	defer cancel()
	a, err := netconf.Ask(ctx, paths.NetworkSocket, req)
	if errors.Is(err, netconf.ErrNoService) {
		return fmt.Errorf("%w: start it with `ros service up network`", err)
	}
	if err != nil {
		return err
	}
	if !a.Until.IsZero() {
		fmt.Fprintf(w, "applied; `ros network confirm` keeps it, else it is taken back at %s\n", a.Until.Local().Format(time.TimeOnly))
		return nil
	}
	fmt.Fprintln(w, "applied")
	return nil
}

func newNetworkConfirm() *cobra.Command {
	return &cobra.Command{
		Use:     "confirm",
		Short:   "Keep the config that `ros network apply --confirm` put in force",
		Example: "  sudo ros network confirm",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := needRoot(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), applyPatience)
			defer cancel()
			if _, err := netconf.Ask(ctx, paths.NetworkSocket, netconf.Request{Do: netconf.DoConfirm}); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "confirmed")
			return nil
		},
	}
}

func newNetworkStatus() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Print links, addresses and leases as they are",
		Long: `Status prints what the network service last wrote, or, where it does not run,
what the kernel has.`,
		Example: "  ros network status\n  ros network status --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := netconf.ReadStatus(paths.NetworkState)
			if errors.Is(err, os.ErrNotExist) {
				s, err = netconf.Now()
			}
			if err != nil {
				return err
			}
			switch output {
			case "json":
				return printNetworkJSON(c.OutOrStdout(), s)
			case "text":
				return printStatus(c.OutOrStdout(), s)
			}
			return &ExitError{2, fmt.Errorf("--output is %q; text and json are possible", output)}
		},
	}
	c.Flags().StringVar(&output, "output", "text", "text or json")
	return c
}

func printStatus(w io.Writer, s *netconf.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LINK\tKIND\tSTATE\tADDRESSES\tLEASE UNTIL")
	for _, l := range s.Links {
		state := "down"
		if l.Up && l.Carrier {
			state = "up"
		} else if l.Up {
			state = "no carrier"
		}
		var addresses []string
		for _, a := range l.Addresses {
			addresses = append(addresses, a.String())
		}
		if l.Err != "" {
			addresses = append(addresses, "("+l.Err+")")
		}
		until := "-"
		if l.Lease != nil && !l.Lease.Ends.IsZero() {
			until = l.Lease.Ends.Local().Format(time.DateTime)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.Name, l.Kind, state, strings.Join(addresses, ", "), until)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, l := range s.Links {
		for _, r := range l.Routes {
			fmt.Fprintf(w, "route %s dev %s\n", netconf.RouteString(r), l.Name)
		}
	}
	if len(s.DNS.Nameservers) > 0 {
		fmt.Fprintf(w, "names %s search %s\n", strings.Join(s.DNS.Nameservers, " "), strings.Join(s.DNS.Search, " "))
	}
	for _, p := range s.Problems {
		fmt.Fprintln(w, "problem", p)
	}
	return nil
}
