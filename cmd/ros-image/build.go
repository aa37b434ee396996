package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rancheros/image"
)

func newBuild() *cobra.Command {
	var o image.Options
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build kernel, initrd, root image, ISO, disk and container images into out/",
		Long: `Build makes everything in out/ of the programs that make has put there, of
templates/ and of Debian 13 packages. It needs no root and installs nothing;
packages and tools are kept in .cache/. Nothing is done if no input changed.`,
		Example: `  ros-image build
  ros-image build --update                        # newer Debian packages
  ros-image build --profile storage,wifi          # state disks on LUKS, RAID, LVM; wireless links
  ros-image build --kernel bzImage --modules DIR  # your own kernel; DIR/lib/modules/RELEASE`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Version, err = version(o.Repo); err != nil {
				return err
			}
			if o.Time, err = commitTime(o.Repo); err != nil {
				return err
			}
			start := time.Now()
			o.Log = func(format string, args ...any) {
				fmt.Printf("[%6.1f] %s\n", time.Since(start).Seconds(), fmt.Sprintf(format, args...))
			}
			return image.Build(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Repo, "repo", ".", "folder with templates/ and VERSION")
	f.StringVar(&o.Out, "out", "out", "folder of the results")
	f.StringVar(&o.Programs, "programs", "", "folder of our programs (default: that of the results)")
	f.StringVar(&o.Cache, "cache", ".cache", "folder for packages and tools")
	f.StringVar(&o.Kernel, "kernel", os.Getenv("KERNEL"), "a bzImage instead of Debian's kernel")
	f.StringVar(&o.Modules, "modules", os.Getenv("MODULES"), "folder with its lib/modules/RELEASE")
	f.StringVar(&o.Extra, "profile", os.Getenv("PROFILE"), "profiles of templates/image to add: storage, wifi, or both as storage,wifi")
	f.BoolVar(&o.Update, "update", false, "fetch the package lists anew")
	f.StringVar(&o.Compression, "compression", env("COMPRESSION", "zstd"), "of the root image: zstd starts faster, xz is 11 % smaller")
	f.BoolVar(&o.Quick, "quick", os.Getenv("QUICK") != "", "compress less: ready sooner, but larger")
	return cmd
}

// version is what the file VERSION says.
func version(repo string) (string, error) {
	b, err := os.ReadFile(filepath.Join(repo, "VERSION"))
	return strings.TrimSpace(string(b)), err
}

// commitTime is the time that all files get: SOURCE_DATE_EPOCH, or that of the
// commit that set the version. So commits which change nothing in the image
// change no byte of it.
func commitTime(repo string) (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := exec.Command("git", "-C", repo, "log", "-1", "--format=%ct", "--", "VERSION").Output()
		if err != nil {
			return time.Time{}, errors.New("there is no git history to take the time from: set SOURCE_DATE_EPOCH")
		}
		text = strings.TrimSpace(string(out))
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(n, 0).UTC(), nil
}
