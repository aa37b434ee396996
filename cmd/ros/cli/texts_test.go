package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quoted is a command in backquotes: `ros config validate`, `sudo ros os boot`.
var quoted = regexp.MustCompile("`(?:sudo )?ros ([a-z][a-z -]*)")

// TestTextsNameOnlyCommandsThatExist reads errors, comments and pages: whoever
// is told at night to type a command must find it.
func TestTextsNameOnlyCommandsThatExist(t *testing.T) {
	const repo = "../../.."
	seen := 0
	err := filepath.WalkDir(repo, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "out" || name == "testdata" || strings.HasPrefix(name, ".") && path != repo):
			return filepath.SkipDir
		case d.IsDir() || strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
			seen++
			if missing := unknown(strings.Fields(m[1])); missing != "" {
				t.Errorf("%s: `ros %s`: there is no command %q", path, strings.TrimSpace(m[1]), missing)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 50 {
		t.Errorf("found %d commands in texts: the pattern does not match any more", seen)
	}
}

// machinery are names of ros that are no subcommands; see cmd/ros/main.go.
var machinery = map[string]bool{
	"netconf": true, "cloud-init-save": true, "cloud-init-execute": true, "console-init": true, "user-docker": true, "respawn": true,
	"system-cron": true, "udev-settle": true, "preload-images": true, "help": true,
}

// unknown is the first word that is neither a command nor, behind one that has
// no more commands, an argument.
func unknown(words []string) string {
	c := New()
	for i, w := range words {
		if i == 0 && machinery[w] || strings.HasPrefix(w, "-") {
			return ""
		}
		next, _, err := c.Find([]string{w})
		if err != nil || next == c {
			if c.HasSubCommands() {
				return w
			}
			return ""
		}
		c = next
	}
	return ""
}
