package execute

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// seedRandom feeds the kernel entropy from the config and the cloud.
func seedRandom(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	r := c.RandomSeed
	seed := bytes.Clone(t.RandomSeed)
	if data := r.Data.Reveal(); data != "" {
		enc := r.Encoding
		if enc == "raw" {
			enc = ""
		}
		b, err := Decode(enc, []byte(data))
		if err != nil {
			return fmt.Errorf("random_seed.data: %w", err)
		}
		seed = append(b, seed...)
	}
	file := r.File
	if file == "" {
		file = "/dev/urandom"
	}
	if len(seed) == 0 && len(r.Command) == 0 {
		return Skip("neither the config nor the cloud gives a seed")
	}
	var errs []error
	if len(seed) > 0 {
		errs = append(errs, t.seed(file, seed))
	}
	if len(r.Command) > 0 {
		if t.Program(r.Command[0]) == "" && !t.Tree.Exists(r.Command[0]) {
			if r.CommandRequired {
				errs = append(errs, fmt.Errorf("random_seed.command: there is no program %s", r.Command[0]))
			}
			return errors.Join(errs...)
		}
		cmd := t.Command(ctx, r.Command...)
		cmd.Env = append(cmd.Env, "RANDOM_SEED_FILE="+file)
		errs = append(errs, t.Do(cmd))
	}
	return errors.Join(errs...)
}

// seed adds to a device of the kernel, or to a file.
func (t *Target) seed(file string, data []byte) error {
	n, err := t.Tree.Stat(file)
	if err != nil || n.Kind != tree.Other {
		if file == "/dev/urandom" {
			return nil // a tree without devices
		}
		_, err := t.Tree.WriteFile(file, data, tree.Perm{Mode: 0o600, Secret: true})
		return err
	}
	return t.Set(file, "seed", func() error {
		f, err := os.OpenFile(t.host(file), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return errors.Join(err, f.Close())
	})
}
