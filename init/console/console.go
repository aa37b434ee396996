// Package console brings up what a person logs in to: accounts, ssh host keys,
// sshd, gettys and the scripts that users hang in.
package console

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rancheros/init/respawn"
	"rancheros/init/step"
	"rancheros/paths"
	"rancheros/sys/kmsg"
)

// Options are what the merged config says of the console.
type Options struct {
	Version string
	// SSHDaemon says whether sshd runs; SSHListen may be empty.
	SSHDaemon bool
	SSHPort   int
	SSHListen string
	// HostKeys are rancher.ssh.keys: type -> private key, type-pub -> public.
	HostKeys map[string]string
	// Autologin lists terminals.
	Autologin []string
	// Password is that of user rancher, from the kernel command line. It is
	// only good for a terminal: sshd takes keys.
	Password string
	Cmdline  string
	// Apply runs the console half of cloud-init-execute, Final what users wrote to
	// run: once sshd is there, because it may hang.
	Apply, Final func(context.Context) error
}

// steps in the order of the original; see docs/boot.md.
var steps = []step.Step[*Options]{
	step.Should("accounts", accounts),
	step.Should("ssh host keys", restoreHostKeys),
	step.Should("cloud-init-execute", func(ctx context.Context, o *Options) error { return o.Apply(ctx) }),
	step.Should("save ssh host keys", saveHostKeys),
	step.Should("sshd_config", sshdConfig),
	step.Should("respawn.conf", respawnConf),
	step.Should("issue", issue),
}

// scripts run after sshd is up: a script that hangs must not lock people out.
var scripts = []step.Step[*Options]{
	step.Should("cloud-init final", func(ctx context.Context, o *Options) error { return o.Final(ctx) }),
	step.Should("start.sh", func(ctx context.Context, _ *Options) error { return runScript(ctx, paths.BootScript) }),
	step.Should("rc.local", func(ctx context.Context, _ *Options) error { return runScript(ctx, paths.RCLocal) }),
}

// Run prepares the console and then keeps its programs running until ctx ends.
func Run(ctx context.Context, o *Options) error {
	record, err := step.OpenRecord(paths.BootRecord)
	if err != nil {
		return err
	}
	defer record.Close()
	r := step.Runner{Log: kmsg.Logger(slog.LevelInfo), Record: record}
	if err := step.Run(ctx, r, "console", o, steps); err != nil {
		return err
	}
	lines, err := respawn.Read(respawn.Conf)
	if err != nil {
		r.Log.Error("respawn", "err", err)
	}
	go func() {
		markSSH(ctx, o)
	}()
	go func() {
		_ = step.Run(ctx, r, "scripts", o, scripts) // none of them is a Must
	}()
	if err := os.WriteFile(paths.ConsoleDone, nil, 0o644); err != nil {
		return fmt.Errorf("say that the console is up: %w", err)
	}
	respawn.Run(ctx, r.Log, lines)
	return nil
}

// markSSH notes when sshd answers with its banner, for people who wait and for
// the figures.
func markSSH(ctx context.Context, o *Options) {
	if !o.SSHDaemon {
		return
	}
	host := o.SSHListen
	if host == "" {
		host = "127.0.0.1"
	}
	addr := net.JoinHostPort(host, strconv.Itoa(o.SSHPort))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if banner(ctx, addr) {
			kmsg.Write(kmsg.Notice, "mark ssh")
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			kmsg.Write(kmsg.Warning, "sshd does not answer on %s", addr)
			return
		}
	}
}

func banner(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, 4)
	n, _ := c.Read(b)
	return string(b[:n]) == "SSH-"
}

func runScript(ctx context.Context, path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return step.Skip("no %s", path)
	}
	if st.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not executable: chmod +x %s", path, path)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// respawnConf lists the gettys of the terminals that are there and sshd.
func respawnConf(_ context.Context, o *Options) error {
	var b strings.Builder
	b.WriteString("# Made at every console start. Add files to " + respawn.Conf + ".d.\n")
	for _, tty := range terminals(o.Cmdline) {
		if _, err := os.Stat("/dev/" + tty); err != nil {
			continue
		}
		auto := ""
		for _, a := range o.Autologin {
			if strings.Contains(tty, a) {
				auto = " --autologin rancher"
			}
		}
		fmt.Fprintf(&b, "/sbin/agetty%s --noclear %s linux\n", auto, tty)
	}
	if o.SSHDaemon {
		b.WriteString("/usr/sbin/sshd -D -e\n")
	}
	return os.WriteFile(respawn.Conf, []byte(b.String()), 0o644)
}

// terminals lists where people may log in: the first virtual terminal, and the
// serial lines that the kernel uses as consoles.
func terminals(cmdline string) []string {
	ttys := []string{"tty1"}
	for f := range strings.FieldsSeq(cmdline) {
		if v, ok := strings.CutPrefix(f, "console="); ok {
			name, _, _ := strings.Cut(v, ",")
			if strings.HasPrefix(name, "ttyS") || strings.HasPrefix(name, "ttyAMA") || strings.HasPrefix(name, "hvc") {
				ttys = append(ttys, name)
			}
		}
	}
	return ttys
}

// sshdConfig writes what sshd reads first; users' drop-ins in sshd_config.d win.
func sshdConfig(_ context.Context, o *Options) error {
	var b strings.Builder
	b.WriteString("# Made at every console start. Drop-ins in /etc/ssh/sshd_config.d come first and win.\n" +
		"Include /etc/ssh/sshd_config.d/*.conf\n")
	fmt.Fprintf(&b, "Port %d\n", o.SSHPort)
	if o.SSHListen != "" {
		fmt.Fprintf(&b, "ListenAddress %s\n", o.SSHListen)
	}
	keys, err := filepath.Glob("/etc/ssh/ssh_host_*_key")
	if err != nil {
		return err
	}
	for _, k := range keys {
		fmt.Fprintf(&b, "HostKey %s\n", k)
	}
	// ssh_pwauth is a drop-in; see cloudinit/execute.
	b.WriteString("PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitEmptyPasswords no\nPermitRootLogin no\nUsePAM no\n" +
		"UseDNS no\nClientAliveInterval 180\nPrintMotd no\nAcceptEnv LANG LC_*\nSubsystem sftp internal-sftp\n")
	if err := os.MkdirAll("/etc/ssh/sshd_config.d", 0o755); err != nil {
		return err
	}
	// Where sshd puts itself before a login; it refuses to start without.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	return os.WriteFile("/etc/ssh/sshd_config", []byte(b.String()), 0o600)
}

// issue is what a person sees before the login prompt.
func issue(_ context.Context, o *Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nros %s on \\n (\\l)\n", o.Version)
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if p, ok := a.(*net.IPNet); ok && p.IP.IsGlobalUnicast() {
			fmt.Fprintf(&b, "  ssh rancher@%s\n", p.IP)
		}
	}
	b.WriteString("\n")
	return os.WriteFile("/etc/issue", []byte(b.String()), 0o644)
}
