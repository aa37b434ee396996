// Package command is what a person or script asks of cloud-init: what it did,
// what it would do, what it knows of this machine. Callers of upstream's
// program of that name find its options, exit codes and JSON here.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"

	"rancheros/cloudconfig/userdata"
	"rancheros/cloudconfig/userdata/document"
	"rancheros/cloudconfig/userdata/fetch"
	"rancheros/cloudinit/execute"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
	"rancheros/paths"
)

// A Document is user-data of any kind that a person hands over.
type Document struct {
	// File is its name in messages.
	File string
	Data []byte
	// Root is the machine's file system.
	Root string
	// Only are the appliers to run; none means all.
	Only []string
	// Chroot runs commands inside of a root that is not this machine.
	Chroot bool
}

// Plan says what applying the document would change, and changes nothing.
func Plan(ctx context.Context, d Document) (*execute.Report, error) {
	tr, err := tree.Plan(d.Root)
	if err != nil {
		return nil, err
	}
	defer tr.Close()
	return d.run(ctx, tr, userdata.Options{})
}

// Apply makes the machine what the document says, now, whatever has been
// applied before.
func Apply(ctx context.Context, d Document) (*execute.Report, error) {
	tr, err := tree.Open(d.Root)
	if err != nil {
		return nil, err
	}
	r, err := d.run(ctx, tr, userdata.Options{Fetch: fetch.HTTP(fetch.Options{Retries: 3})})
	return r, errors.Join(err, tr.Close())
}

func (d Document) run(ctx context.Context, tr *tree.Tree, o userdata.Options) (*execute.Report, error) {
	o.Systemd = state.HasSystemd(tr)
	data, _ := tr.ReadFile(state.InstanceDataFull) // none: templates have nothing to ask
	parsed, err := userdata.Parse(ctx, userdata.Input{UserData: d.Data, InstanceData: data}, o)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, p := range parsed.Problems {
		if p.Severity == userdata.Error {
			errs = append(errs, fmt.Errorf("%s:%d:%d: %s", d.File, max(p.Line, 1), max(p.Column, 1), p.Message))
		}
	}
	doc, err := document.YAML(parsed.Config)
	if err != nil {
		return nil, err
	}
	t := execute.New(tr)
	t.Chroot = d.Chroot
	c, err := t.ReadConfig(d.File, d.source(parsed, doc))
	errs = append(errs, err)
	report, err := execute.Run(ctx, t, c, execute.Options{Only: d.Only, Again: true})
	errs = append(errs, err)
	if len(d.Only) == 0 {
		errs = append(errs, d.scripts(ctx, t, report, parsed.Scripts))
	}
	return report, errors.Join(errs...)
}

// source is the text itself where it is one plain cloud-config, so that
// messages name its lines.
func (d Document) source(r *userdata.Result, merged []byte) []byte {
	if len(r.Parts) == 1 && r.Parts[0].Type == userdata.CloudConfig && bytes.HasPrefix(d.Data, []byte("#cloud-config")) {
		return d.Data
	}
	return merged
}

// scripts runs the scripts of the document, in their order.
func (d Document) scripts(ctx context.Context, t *execute.Target, r *execute.Report, all []userdata.Script) error {
	var errs []error
	for _, s := range all {
		p := path.Join(paths.CloudInitRun, "apply", state.SafeName(s.Name))
		res, err := execute.Script(ctx, t, p, s.Content, s.Prefix)
		r.Results = append(r.Results, res)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
