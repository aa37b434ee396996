package unit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// How an option of `docker run` stands in a compose service.
type option struct {
	key  string
	form form
}

type form int

const (
	text form = iota
	list
	truth
	ignored
	ignoredValue
)

// options of `docker run` that a service can say.
//
// https://docs.docker.com/reference/cli/docker/container/run/
func options() map[string]option {
	return map[string]option{
		"name": {"container_name", ignoredValue}, "detach": {"", ignored}, "d": {"", ignored}, "rm": {"", ignored},
		"sig-proxy": {"", ignored}, "init": {"init", truth},
		"interactive": {"stdin_open", truth}, "i": {"stdin_open", truth}, "tty": {"tty", truth}, "t": {"tty", truth},
		"privileged": {"privileged", truth}, "read-only": {"read_only", truth},
		"volume": {"volumes", list}, "v": {"volumes", list}, "volumes-from": {"volumes_from", list}, "tmpfs": {"tmpfs", list},
		"publish": {"ports", list}, "p": {"ports", list}, "expose": {"expose", list},
		"env": {"environment", list}, "e": {"environment", list}, "env-file": {"env_file", list},
		"label": {"labels", list}, "l": {"labels", list}, "link": {"links", list},
		"cap-add": {"cap_add", list}, "cap-drop": {"cap_drop", list}, "device": {"devices", list}, "security-opt": {"security_opt", list},
		"dns": {"dns", list}, "dns-search": {"dns_search", list}, "add-host": {"extra_hosts", list}, "group-add": {"group_add", list},
		"ulimit": {"ulimits", list}, "sysctl": {"sysctls", list},
		"net": {"network_mode", text}, "network": {"network_mode", text}, "pid": {"pid", text}, "ipc": {"ipc", text}, "uts": {"uts", text},
		"restart": {"restart", text}, "user": {"user", text}, "u": {"user", text}, "workdir": {"working_dir", text}, "w": {"working_dir", text},
		"hostname": {"hostname", text}, "h": {"hostname", text}, "entrypoint": {"entrypoint", text}, "memory": {"mem_limit", text}, "m": {"mem_limit", text},
		"cpu-shares": {"cpu_shares", text}, "c": {"cpu_shares", text}, "cpuset-cpus": {"cpuset", text}, "shm-size": {"shm_size", text},
		"stop-signal": {"stop_signal", text}, "log-driver": {"logging", ignoredValue}, "log-opt": {"logging", ignoredValue}, "cidfile": {"", ignoredValue},
	}
}

// run reads a `docker run` command line.
func run(line string, env map[string]string) (map[string]any, error) {
	words, err := split(strings.TrimLeft(line, "-@+!:"))
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || !isDocker(words[0]) {
		return nil, fmt.Errorf("it runs %.60s, not a container: put the program into an image", first(words))
	}
	if len(words) < 2 || words[1] != "run" {
		return nil, errors.New("only `docker run` becomes a service")
	}
	for i := range words {
		if words[i], err = expand(words[i], env); err != nil {
			return nil, err
		}
	}
	service := map[string]any{}
	rest, err := flags(words[2:], service)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 {
		return nil, errors.New("`docker run` names no image")
	}
	service["image"] = rest[0]
	if len(rest) > 1 {
		service["command"] = rest[1:]
	}
	return service, nil
}

func first(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return words[0]
}

// expand replaces ${NAME} and $NAME from Environment=, and refuses what systemd
// only knows when it runs.
func expand(word string, env map[string]string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		switch {
		case word[i] == '%' && i+1 < len(word):
			if word[i+1] != '%' {
				return "", fmt.Errorf("specifier %s is only known to systemd", word[i:i+2])
			}
			i++
			b.WriteByte('%')
		case word[i] == '$' && strings.HasPrefix(word[i:], "$$"):
			i++
			b.WriteByte('$')
		case word[i] == '$':
			name, n := variable(word[i:])
			v, ok := env[name]
			if !ok {
				return "", fmt.Errorf("variable %q is not set in Environment=", name)
			}
			b.WriteString(v)
			i += n - 1
		default:
			b.WriteByte(word[i])
		}
	}
	return b.String(), nil
}

func variable(s string) (name string, n int) {
	if strings.HasPrefix(s, "${") {
		if end := strings.IndexByte(s, '}'); end > 0 {
			return s[2:end], end + 1
		}
		return s, len(s)
	}
	n = 1
	for n < len(s) && (s[n] == '_' || s[n] >= '0' && s[n] <= '9' || s[n] >= 'A' && s[n] <= 'Z' || s[n] >= 'a' && s[n] <= 'z') {
		n++
	}
	return s[1:n], n
}

// flags reads options into the service up to the image.
func flags(words []string, service map[string]any) ([]string, error) {
	known := options()
	for len(words) > 0 {
		w := words[0]
		if !strings.HasPrefix(w, "-") || w == "-" {
			return words, nil
		}
		words = words[1:]
		if w == "--" {
			return words, nil
		}
		name, value, has := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if !strings.HasPrefix(w, "--") && len(name) > 1 {
			// -it, -p80:80
			if known[name[:1]].form == truth || known[name[:1]].form == ignored && known[name[:1]] != (option{}) {
				words = slices.Insert(words, 0, "-"+w[2:])
				name, has = name[:1], false
			} else {
				name, value, has = name[:1], w[2:], true
			}
		}
		o, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("option %s of docker run is not supported", w)
		}
		if o.form != truth && o.form != ignored && !has {
			if len(words) == 0 {
				return nil, fmt.Errorf("option %s needs a value", w)
			}
			value, words = words[0], words[1:]
		}
		switch o.form {
		case truth:
			service[o.key] = !has || value == "true"
		case list:
			have, _ := service[o.key].([]string)
			service[o.key] = append(have, value)
		case text:
			service[o.key] = value
		}
	}
	return nil, nil
}
