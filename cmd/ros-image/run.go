package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"rancheros/image"
	"rancheros/image/qemu"
)

//go:embed user-data.yml
var defaultUserData []byte

type runOptions struct {
	out, cache, userData, cloud string
	m                           qemu.Machine
	print                       bool
}

func newRun() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Boot the built image in QEMU, with its console here and ssh on a port",
		Long: `Run boots out/ in QEMU. The machine is given user-data and your ssh keys as the
chosen datasource would give them. Without --disk it lives in memory; with it,
the file is created if it is absent, and kept. Ctrl-A X ends QEMU.`,
		Example: `  ros-image run
  ros-image run --user-data my.yml --disk state.qcow2 --mem 2048
  ros-image run --datasource ec2`,
		Args:    cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnv(cmd) },
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&o.out, "out", "out", "folder of the built image")
	f.StringVar(&o.cache, "cache", ".cache", "folder of packages and tools")
	f.StringVar(&o.userData, "user-data", os.Getenv("USER_DATA"), "file with user-data instead of the built-in one")
	f.StringVar(&o.cloud, "datasource", env("DATASOURCE", "nocloud"), "where the machine believes to be: "+strings.Join(qemu.Clouds(), ", "))
	f.IntVar(&o.m.Memory, "mem", 1024, "memory in MiB")
	f.IntVar(&o.m.CPUs, "cpus", 2, "virtual processors")
	f.IntVar(&o.m.SSHPort, "ssh-port", 2222, "port on this machine for ssh")
	f.StringVar(&o.m.Disk, "disk", os.Getenv("DISK"), "file of the state disk, raw or .qcow2")
	f.StringVar(&o.m.Append, "append", os.Getenv("APPEND"), "more kernel parameters")
	f.BoolVar(&o.print, "print", false, "print QEMU's command line instead of starting it")
	return cmd
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// fromEnv takes numbers out of make's variables, where no flag says one.
func fromEnv(cmd *cobra.Command) error {
	f := cmd.Flags()
	for flag, name := range map[string]string{"mem": "MEM", "cpus": "CPUS", "ssh-port": "SSH_PORT"} {
		v := os.Getenv(name)
		if v == "" || f.Changed(flag) {
			continue
		}
		if err := f.Set(flag, v); err != nil {
			return fmt.Errorf("%s=%s: want a number, as in %s=%s", name, v, name, f.Lookup(flag).DefValue)
		}
	}
	return nil
}

func (o *runOptions) run(ctx context.Context) error {
	var err error
	if o.out, err = filepath.Abs(o.out); err != nil {
		return err
	}
	o.m.Out = o.out
	if _, err := os.Stat(filepath.Join(o.out, "ros.iso")); err != nil {
		return fmt.Errorf("%w: run `make image` first", err)
	}
	if o.m.Major, err = qemu.Version(ctx); err != nil {
		return err
	}
	o.m.KVM = os.Getenv("ACCEL") != "tcg" && qemu.KVM(ctx)
	login, err := o.cloudOf(ctx)
	if err != nil {
		return err
	}
	if err := o.disk(ctx); err != nil {
		return err
	}
	if o.print {
		fmt.Println(qemu.Program, strings.Join(o.m.Args(), " "))
		return nil
	}
	o.say(login)
	c := exec.CommandContext(ctx, qemu.Program, o.m.Args()...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c.Run()
}

// say tells how to get in, before the console scrolls.
func (o *runOptions) say(login string) {
	accel := "emulation in software (no usable KVM here; a boot takes a minute)"
	if o.m.KVM {
		accel = "KVM"
	}
	fmt.Printf("QEMU %d with %s, %d MiB, %d processors, datasource %s\n", o.m.Major, accel, o.m.Memory, o.m.CPUs, o.cloud)
	if !o.m.KVM && qemu.TooOld(o.m.Major) {
		fmt.Print("\n  WARNING: emulation in QEMU before version 8 makes kernel 6.12 panic now and then.\n" +
			"  On Debian 12 take QEMU from bookworm-backports: `make deps` does.\n\n")
	}
	fmt.Printf("log in:  %s\nstop:    sudo poweroff, or Ctrl-A X here\n\n", login)
}

// cloudOf prepares the datasource and returns the command to log in.
func (o *runOptions) cloudOf(ctx context.Context) (string, error) {
	dir := filepath.Join(o.out, "run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	u := qemu.User{Data: defaultUserData, Hostname: "ros", ID: "ros-run"}
	if o.userData != "" {
		b, err := os.ReadFile(o.userData)
		if err != nil {
			return "", fmt.Errorf("USER_DATA: %w", err)
		}
		u.Data = b
	}
	identity, public, err := key(filepath.Join(dir, "id_ed25519"))
	if err != nil {
		return "", err
	}
	u.Keys = append(ownKeys(), public)
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	o.m.Cloud, err = qemu.NewCloud(o.cloud, dir, self, u, func(label, folder, out string) error {
		return image.Disc(ctx, o.cache, label, folder, out)
	})
	return fmt.Sprintf("ssh -p %d -i %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null rancher@127.0.0.1", o.m.SSHPort, identity), err
}

// ownKeys are the person's own public keys.
func ownKeys() []string {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	names, err := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
	if err != nil {
		return nil
	}
	var keys []string
	for _, n := range names {
		if b, err := os.ReadFile(n); err == nil {
			keys = append(keys, strings.TrimSpace(string(b)))
		}
	}
	return keys
}

// key returns the file of a private key, made if it is absent, and its public
// part.
func key(name string) (file, public string, err error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return "", "", err
		}
		block, err := ssh.MarshalPrivateKey(private, "ros-image run")
		if err != nil {
			return "", "", err
		}
		b = pem.EncodeToMemory(block)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return "", "", err
		}
	} else if err != nil {
		return "", "", err
	}
	signer, err := ssh.ParsePrivateKey(b)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", name, err)
	}
	return name, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " ros-image", nil
}

// disk creates the state disk if it is named and absent.
func (o *runOptions) disk(ctx context.Context) error {
	if o.m.Disk == "" {
		return nil
	}
	if _, err := os.Stat(o.m.Disk); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	kind := "raw"
	if strings.HasSuffix(o.m.Disk, ".qcow2") {
		kind = "qcow2"
	}
	fmt.Printf("creating state disk %s, 10 GiB when full\n", o.m.Disk)
	if out, err := exec.CommandContext(ctx, "qemu-img", "create", "-q", "-f", kind, o.m.Disk, "10G").CombinedOutput(); err != nil {
		return fmt.Errorf("create %s: %w: %s", o.m.Disk, err, out)
	}
	return nil
}
