package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"rancheros/image/debpack"
)

func newDeb() *cobra.Command {
	var repo, out string
	o := debpack.Options{Arch: runtime.GOARCH, Maintainer: "The ros authors <ros@localhost>"}
	cmd := &cobra.Command{
		Use:   "deb",
		Short: "Make the Debian package that is a cloud-init of its own",
		Long: `Deb packs out/ros and systemd units into out/ros-cloud-init_VERSION_ARCH.deb, which
takes the place of cloud-init on Debian and Ubuntu.`,
		Example: `  make programs && out/ros-image deb
  sudo apt install ./out/ros-cloud-init_0.1.0_amd64.deb`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			var err error
			if o.Version, err = version(repo); err != nil {
				return err
			}
			if o.Time, err = commitTime(repo); err != nil {
				return err
			}
			o.Ros, o.Units = filepath.Join(out, "ros"), os.DirFS(filepath.Join(repo, "templates/systemd"))
			name := filepath.Join(out, fmt.Sprintf("%s_%s_%s.deb", debpack.Package, strings.TrimPrefix(o.Version, "v"), o.Arch))
			f, err := os.Create(name + ".new~")
			if err != nil {
				return err
			}
			err = errors.Join(debpack.Write(f, o), f.Close())
			if err != nil {
				return errors.Join(err, os.Remove(f.Name()))
			}
			fmt.Println(name)
			return os.Rename(f.Name(), name)
		},
	}
	cmd.Flags().StringVar(&repo, "repo", ".", "folder with templates/ and VERSION")
	cmd.Flags().StringVar(&out, "out", "out", "folder of our programs and of the result")
	cmd.Flags().StringVar(&o.Maintainer, "maintainer", o.Maintainer, "who answers for the package")
	return cmd
}
