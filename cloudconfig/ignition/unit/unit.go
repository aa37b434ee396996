// Package unit reads systemd units that run one container with `docker run`, and
// says the same as a compose service.
package unit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Service makes a compose service of a unit file. The error says why it cannot.
//
// https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
func Service(contents string) (map[string]any, error) {
	u := read(contents)
	starts := u["Service.ExecStart"]
	if len(starts) == 0 {
		return nil, errors.New("it has no ExecStart")
	}
	if len(starts) > 1 {
		return nil, errors.New("it has more than one ExecStart")
	}
	for _, key := range []string{"ExecStartPre", "ExecStartPost"} {
		for _, line := range u["Service."+key] {
			if !housekeeping(line) {
				return nil, fmt.Errorf("%s=%.60s is not supported", key, line)
			}
		}
	}
	env, err := environment(u["Service.Environment"])
	if err != nil {
		return nil, err
	}
	service, err := run(starts[0], env)
	if err != nil {
		return nil, err
	}
	if _, ok := service["restart"]; !ok {
		switch last(u["Service.Restart"]) {
		case "always":
			service["restart"] = "always"
		case "on-failure", "on-abnormal", "on-abort":
			service["restart"] = "on-failure"
		}
	}
	return service, nil
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// read gives the values of each "Section.Key", in order. An empty value clears
// those before it.
func read(contents string) map[string][]string {
	out := map[string][]string{}
	section := ""
	lines := strings.Split(strings.ReplaceAll(contents, "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		for strings.HasSuffix(line, `\`) && i+1 < len(lines) {
			i++
			line = strings.TrimSpace(strings.TrimSuffix(line, `\`) + " " + strings.TrimSpace(lines[i]))
		}
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok {
				continue
			}
			key = section + "." + strings.TrimSpace(key)
			if value = strings.TrimSpace(value); value == "" {
				delete(out, key)
				continue
			}
			out[key] = append(out[key], value)
		}
	}
	return out
}

// housekeeping are commands around a container that a service needs not: its
// image is pulled, and an old container removed, anyway.
func housekeeping(line string) bool {
	words, err := split(strings.TrimLeft(line, "-@+!:"))
	if err != nil || len(words) < 2 || !isDocker(words[0]) {
		return false
	}
	return slices.Contains([]string{"pull", "kill", "rm", "stop", "wait"}, words[1])
}

func isDocker(path string) bool {
	return path[strings.LastIndexByte(path, '/')+1:] == "docker"
}

func environment(lines []string) (map[string]string, error) {
	env := map[string]string{}
	for _, line := range lines {
		words, err := split(line)
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			if k, v, ok := strings.Cut(w, "="); ok {
				env[k] = v
			}
		}
	}
	return env, nil
}

// split cuts a command line into words, with quotes as systemd has them.
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			inWord = true
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, errors.New("quotes are not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
