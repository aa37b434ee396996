package execute

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"rancheros/cloudconfig"
	"rancheros/cloudconfig/userdata/jinja"
	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// checkIn tells the cloud that this machine is ready, or what went wrong.
func checkIn(ctx context.Context, t *Target, _ *cloudconfig.Config) error {
	if t.CheckIn == nil || !t.Live || t.Tree.Planned() {
		return Skip("the cloud expects to hear nothing")
	}
	told, err := t.CheckIn(ctx, t.failed)
	if err == nil && !told {
		return Skip("the cloud expects to hear nothing")
	}
	if told {
		t.Tree.Note(tree.Change{Op: tree.Set, Path: "check-in", Target: "done"})
	}
	return err
}

// phoneHome tells a web server who we are.
func phoneHome(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	p := c.PhoneHome
	if p.URL == "" {
		return Skip("phone_home is not set")
	}
	where := strings.NewReplacer("$INSTANCE_ID", url.PathEscape(t.InstanceID), "${INSTANCE_ID}", url.PathEscape(t.InstanceID)).Replace(p.URL)
	if u, err := url.Parse(where); err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("phone_home.url: %q is no address of http or https", p.URL)
	}
	form := t.about(c, p.Post)
	tries := p.Tries
	if tries <= 0 {
		tries = 10
	}
	return t.Set("phone_home", where, func() error {
		var err error
		for try := range tries {
			if try > 0 {
				if perr := pause(ctx, min(fetchPause<<try, 3*time.Second)); perr != nil {
					return errors.Join(err, perr)
				}
			}
			if err = t.post(ctx, where, form); err == nil {
				return nil
			}
		}
		return fmt.Errorf("phone_home: after %d tries: %w", tries, err)
	})
}

// about is what is told: `all`, or those that are listed.
func (t *Target) about(c *cloudconfig.Config, list []string) url.Values {
	short, full := t.names(c)
	keys := t.publicHostKeys()
	facts := map[string]string{"instance_id": t.InstanceID, "hostname": short, "fqdn": full,
		"pub_key_rsa": keys["rsa"], "pub_key_ecdsa": keys["ecdsa"], "pub_key_ed25519": keys["ed25519"]}
	form := url.Values{}
	for _, k := range sortedKeys(facts) {
		if len(list) == 0 || slices.Contains(list, "all") || slices.Contains(list, k) {
			v := facts[k]
			if v == "" {
				v = "N/A"
			}
			form.Set(k, v)
		}
	}
	for _, k := range list {
		if _, ok := facts[k]; !ok && k != "all" && k != "pub_key_dsa" {
			// Who waits for this machine must hear of it all the same.
			t.Warn("phone_home.post: %q is nothing we could tell", k)
		}
	}
	return form
}

func (t *Target) post(ctx context.Context, where string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := t.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the server says %s", resp.Status)
	}
	return nil
}

// finalMessage tells the console that all is done, and writes the mark that
// others wait for.
func finalMessage(_ context.Context, t *Target, c *cloudconfig.Config) error {
	up, _, _ := strings.Cut(readFile("/proc/uptime"), " ")
	stamp := t.Now().UTC().Format(time.RFC1123Z)
	msg := c.FinalMessage
	if msg == "" {
		msg = "Cloud-init finished at $TIMESTAMP. Datasource $DATASOURCE. Up $UPTIME seconds"
	}
	s, _, _ := state.LoadStatus(t.Tree)
	ds := ""
	if s != nil && s.Datasource != nil {
		ds = *s.Datasource
	}
	text, err := fillIn(msg, map[string]string{"uptime": up, "timestamp": stamp, "version": Version, "datasource": ds})
	t.say("%s", text)
	if t.Output != t.Console && !t.Tree.Planned() {
		fmt.Fprintln(t.Output, text) // where people look for it, too
	}
	if err != nil {
		return fmt.Errorf("final_message: %w", err)
	}
	if t.InstanceID == "" || t.Tree.Planned() {
		return nil
	}
	return t.quietly(func() error {
		return t.write(state.InstanceDir(t.InstanceID)+"/boot-finished", up+" - "+stamp+"\n", 0o644)
	})
}

// fillIn puts values in: {{name}} in a jinja template, $name and ${name} in any
// other text; names may be in upper case.
func fillIn(msg string, values map[string]string) (string, error) {
	vars := map[string]any{}
	var pairs []string
	for k, v := range values {
		up := strings.ToUpper(k)
		vars[k], vars[up] = v, v
		pairs = append(pairs, "${"+k+"}", v, "$"+k, v, "${"+up+"}", v, "$"+up, v)
	}
	if body, ok := strings.CutPrefix(msg, "## template: jinja\n"); ok {
		text, _, err := jinja.Render(body, vars)
		return text, err
	}
	return strings.NewReplacer(pairs...).Replace(msg), nil
}

// Version is how we call ourselves in messages and in instance-data.
const Version = "ros"

func readFile(p string) string {
	b, _ := os.ReadFile(p)
	return strings.TrimSpace(string(b))
}

// powerState stops or restarts the machine, when the condition holds.
func powerState(ctx context.Context, t *Target, c *cloudconfig.Config) error {
	p := c.PowerState
	if p.Mode == "" {
		return Skip("power_state is not set")
	}
	flag, ok := map[string]string{"poweroff": "-P", "reboot": "-r", "halt": "-H"}[p.Mode]
	if !ok {
		return fmt.Errorf("power_state.mode: %q is none of poweroff, reboot, halt", p.Mode)
	}
	delay := strings.TrimPrefix(p.Delay, "+")
	if delay == "" || delay == "now" {
		delay = "0"
	}
	if n, err := strconv.Atoi(delay); err != nil || n < 0 {
		return fmt.Errorf("power_state.delay: %q: write `now` or a number of minutes", p.Delay)
	}
	if p.Condition.Never {
		return Skip("power_state.condition is false")
	}
	if cond := p.Condition.Command; cond.Shell != "" || len(cond.Args) > 0 {
		if t.Tree.Planned() || !t.Live {
			t.Tree.Note(tree.Change{Op: tree.Run, Target: "power_state.condition: " + cond.String()})
		} else if err := t.Run(t.Command(ctx, cond.Argv()...)); err != nil {
			if _, exited := errors.AsType[*exec.ExitError](err); exited {
				return Skip("power_state.condition says no")
			}
			return fmt.Errorf("power_state.condition: %w", err)
		}
	}
	when := "+" + delay
	if delay == "0" {
		when = "now"
	}
	argv := []string{"shutdown", flag, when}
	if p.Message != "" {
		argv = append(argv, p.Message)
	}
	if t.Ours {
		argv = t.ourShutdown(flag, delay, p.Message)
	}
	// What is told about this boot must lie on the disk before it ends.
	t.Later = append(t.Later, argv)
	t.Tree.Note(tree.Change{Op: tree.Run, Target: strings.Join(argv, " ")})
	return nil
}

// ourShutdown is the same for our own shutdown, which knows no delay and wakes
// nobody.
func (t *Target) ourShutdown(flag, minutes, message string) []string {
	if message != "" {
		t.say("%s", message)
	}
	if minutes == "0" {
		return []string{"shutdown", flag, "now"}
	}
	return []string{"sh", "-c", "(sleep " + minutes + "m; exec shutdown " + flag + " now) >/dev/null 2>&1 &"}
}
