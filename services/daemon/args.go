package daemon

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rancheros/services"
)

// readDockerOpts reads a file of shell assignments: the words of DOCKER_OPTS,
// and what is exported.
func readDockerOpts(text string) (opts, env []string, err error) {
	vars := map[string]string{}
	for len(text) > 0 {
		line, rest := logicalLine(text)
		text = rest
		line, export := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words, err := services.SplitWords(references(line, vars))
		if err != nil {
			return nil, nil, err
		}
		for i, word := range words {
			if strings.HasPrefix(word, "#") {
				break // a comment
			}
			name, value, ok := strings.Cut(word, "=")
			if !ok || i > 0 && !export || strings.ContainsAny(name, " \t") {
				return nil, nil, fmt.Errorf("%q is not an assignment", word)
			}
			if plain, add := strings.CutSuffix(name, "+"); add {
				name, value = plain, vars[plain]+value
			}
			vars[name] = value
			if export && name != "DOCKER_OPTS" {
				env = append(env, name+"="+value)
			}
		}
	}
	opts, err = services.SplitWords(vars["DOCKER_OPTS"])
	return opts, env, err
}

// reference is $NAME or ${NAME}.
var reference = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$(?:\{\w+\}|\w+)`) })

// references puts in variables that the file itself has set; others are empty,
// as in a shell. The rest of what a shell could do is not done: the words stay
// as they are.
func references(value string, vars map[string]string) string {
	if strings.Contains(value, "'") {
		return value
	}
	return reference().ReplaceAllStringFunc(value, func(ref string) string {
		return vars[strings.Trim(ref, "${}")]
	})
}

// logicalLine takes one line; a quote goes on over line breaks, as in the file
// that docker-machine writes.
func logicalLine(text string) (line, rest string) {
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quote != '\'':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '#' && strings.TrimSpace(text[:i]) == "":
			// A comment may hold an apostrophe.
			if end := strings.IndexByte(text, '\n'); end >= 0 {
				return text[:end], text[end+1:]
			}
			return text, ""
		case c == '\n':
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// long is the name of a flag that has a letter, or had another name.
func long(flag string) string {
	switch flag {
	case "-H":
		return "--host"
	case "-s":
		return "--storage-driver"
	case "-g", "--graph":
		return "--data-root"
	case "-G":
		return "--group"
	case "-b":
		return "--bridge"
	case "-p":
		return "--pidfile"
	case "-D":
		return "--debug"
	case "-l":
		return "--log-level"
	case "-r":
		return "--restart"
	}
	return flag
}

// modern rewrites arguments of old engines: names that have changed, and
// storage drivers that are gone. A flag and its value become one word.
func modern(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		flag, value, joined := strings.Cut(args[i], "=")
		name := long(flag)
		if !strings.HasPrefix(name, "--") {
			out = append(out, args[i])
			continue
		}
		if !joined && !isSwitch(name) && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			value, joined = args[i], true
		}
		switch {
		case isGone(name):
			continue
		case name == "--storage-driver":
			value = modernDriver(value)
		}
		if joined {
			name += "=" + value
		}
		out = append(out, name)
	}
	return out
}

// modernDriver is the storage driver that does what an old one did.
func modernDriver(name string) string {
	switch name {
	case "overlay", "aufs", "devicemapper":
		return "overlay2"
	}
	return name
}

// takeFeatures takes --feature out of args: features have their place in the
// config file, and must not be in both.
func takeFeatures(args []string) (rest []string, features map[string]bool) {
	features = map[string]bool{}
	for _, a := range args {
		spec, ok := strings.CutPrefix(a, "--feature=")
		if !ok {
			rest = append(rest, a)
			continue
		}
		name, value, _ := strings.Cut(spec, "=")
		on, err := strconv.ParseBool(cmp.Or(value, "true"))
		if err != nil {
			rest = append(rest, a) // dockerd says what is wrong with it
			continue
		}
		features[name] = on
	}
	return rest, features
}

// flagsIn names the flags that args set.
func flagsIn(args []string) map[string]bool {
	out := map[string]bool{}
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		out[strings.TrimPrefix(name, "--")] = true
	}
	return out
}

// hostsIn lists the sockets that args ask for.
func hostsIn(args []string) []string {
	var out []string
	for _, a := range args {
		if h, ok := strings.CutPrefix(a, "--host="); ok {
			out = append(out, fullHost(h))
		}
	}
	return out
}

// fullHost writes a socket out, so that two spellings of one can be told.
func fullHost(h string) string {
	if strings.Contains(h, "://") {
		return h
	}
	return "tcp://" + h
}

// onceEachHost leaves out a socket that was asked for before: it cannot be
// listened on twice.
func onceEachHost(args []string) []string {
	var out []string
	for _, a := range args {
		if h, ok := strings.CutPrefix(a, "--host="); ok && slices.Contains(hostsIn(out), fullHost(h)) {
			continue
		}
		out = append(out, a)
	}
	return out
}

// isSwitch says whether a flag stands alone, with no value after it.
func isSwitch(name string) bool {
	switch name {
	case "--debug", "--tls", "--tlsverify", "--ipv6", "--init", "--experimental", "--live-restore", "--icc", "--iptables", "--ip6tables",
		"--ip-forward", "--ip-masq", "--userland-proxy", "--selinux-enabled", "--no-new-privileges", "--restart", "--raw-logs",
		"--validate", "--allow-direct-routing", "--rootless":
		return true
	}
	return false
}

// isGone says whether an old flag means nothing any more; dockerd would refuse
// to start.
func isGone(name string) bool {
	switch name {
	case "--disable-legacy-registry", "--api-cors-header", "--api-enable-cors", "--cluster-store", "--cluster-store-opt",
		"--cluster-advertise", "--oom-score-adjust", "--deprecated-key-path", "--allow-nondistributable-artifacts":
		return true
	}
	return false
}
