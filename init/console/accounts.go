package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// account is a login that this OS always has; other software asks for both.
type account struct {
	name string
	id   int
}

var logins = []account{{"rancher", 1100}, {"docker", 1101}}

// accounts makes the homes, and the locked logins where the image has none.
func accounts(_ context.Context, o *Options) error {
	var errs []error
	for _, a := range logins {
		home := filepath.Join("/home", a.name)
		errs = append(errs,
			addLine("/etc/group", a.name, fmt.Sprintf("%s:x:%d:", a.name, a.id)),
			addLine("/etc/passwd", a.name, fmt.Sprintf("%s:x:%d:%d::%s:/bin/bash", a.name, a.id, a.id, home)),
			addLine("/etc/shadow", a.name, fmt.Sprintf("%s:*:19000:0:99999:7:::", a.name)),
			makeHome(home, a.id),
		)
	}
	if o.Password != "" {
		cmd := exec.Command("chpasswd")
		cmd.Stdin = strings.NewReader("rancher:" + o.Password + "\n")
		if err := cmd.Run(); err != nil {
			errs = append(errs, fmt.Errorf("set the password of rancher: %w", err))
		}
	}
	return errors.Join(errs...)
}

// addLine adds a line to a file of the passwd kind unless it names name already.
func addLine(file, name, line string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, name+":") {
			return nil
		}
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// makeHome makes a home once; what the user did with it stays. It appears whole:
// a half one would be taken for the user's.
func makeHome(home string, id int) error {
	if _, err := os.Stat(home); err == nil {
		return nil
	}
	half := filepath.Join(filepath.Dir(home), "."+filepath.Base(home)+".new")
	errs := []error{os.RemoveAll(half), os.MkdirAll(half, 0o755)}
	for _, f := range []string{".bashrc", ".profile"} {
		if b, err := os.ReadFile("/etc/skel/" + f); err == nil {
			path := filepath.Join(half, f)
			errs = append(errs, os.WriteFile(path, b, 0o644), os.Chown(path, id, id))
		}
	}
	if err := errors.Join(append(errs, os.Chown(half, id, id))...); err != nil {
		return fmt.Errorf("make home: %w", err)
	}
	return os.Rename(half, home)
}
