package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rancheros/image"
)

func newReproducible() *cobra.Command {
	o := image.Options{}
	cmd := &cobra.Command{
		Use:   "reproducible",
		Short: "Build the image twice from the same inputs and compare every result",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Version, err = version(o.Repo); err != nil {
				return err
			}
			if o.Time, err = commitTime(o.Repo); err != nil {
				return err
			}
			o.Log = func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
			return twice(cmd, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Repo, "repo", ".", "folder with templates/ and VERSION")
	f.StringVar(&o.Out, "out", "out", "folder of our programs")
	f.StringVar(&o.Cache, "cache", ".cache", "folder for packages and tools")
	f.BoolVar(&o.Quick, "quick", os.Getenv("QUICK") != "", "compress less")
	return cmd
}

// twice builds in two folders that share only our programs.
func twice(cmd *cobra.Command, o image.Options) error {
	// A copy, because somebody may build our programs anew meanwhile.
	inputs := filepath.Join(o.Out, "reproducible-inputs")
	defer os.RemoveAll(inputs)
	if err := copyPrograms(o.Out, inputs); err != nil {
		return err
	}
	var sums [2]map[string]string
	for i := range sums {
		dir := filepath.Join(o.Out, fmt.Sprintf("reproducible-%d", i+1))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, name := range []string{"ros", "init", "engine"} {
			if err := os.Symlink(filepath.Join("..", filepath.Base(inputs), name), filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		one := o
		one.Out = dir
		if err := image.Build(cmd.Context(), one); err != nil {
			return err
		}
		var err error
		if sums[i], err = sumAll(dir); err != nil {
			return err
		}
	}
	var errs []error
	for name, sum := range sums[0] {
		if other := sums[1][name]; other != sum {
			errs = append(errs, fmt.Errorf("%s differs: %s and %s", name, sum, other))
			continue
		}
		fmt.Println(sum, name)
	}
	return errors.Join(errs...)
}

func copyPrograms(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	for _, name := range []string{"ros", "init"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return fmt.Errorf("%w: run `make programs` first", err)
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o755); err != nil {
			return err
		}
	}
	return os.CopyFS(filepath.Join(to, "engine"), os.DirFS(filepath.Join(from, "engine")))
}

// sumAll is the SHA-256 of each result below dir.
func sumAll(dir string) (map[string]string, error) {
	sums := map[string]string{}
	names := append([]string{"disk.raw"}, image.Artefacts...)
	archives, err := filepath.Glob(filepath.Join(dir, "images", "*.tar"))
	if err != nil {
		return nil, err
	}
	for _, a := range archives {
		names = append(names, filepath.Join("images", filepath.Base(a)))
	}
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return nil, err
		}
		sums[name] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return sums, nil
}
