package ignition

import (
	"path"
	"slices"
	"strings"
)

// presetFile says what systemd enables at its first start; Ignition has the
// same.
const presetFile = "/etc/systemd/system-preset/20-ignition.preset"

// systemd writes units, masks and enables them, for systems that have it. A
// system that runs is told by commands, one that is only made by presets.
func (im *Import) systemd() (files, masks, commands []any) {
	for _, u := range im.Units {
		at := path.Join("/etc/systemd", u.Folder, u.Name)
		if u.Contents != nil && *u.Contents != "" && !is(u.Mask) {
			files = append(files, unitFile(at, *u.Contents))
		}
		for _, d := range u.Dropins {
			files = append(files, unitFile(path.Join(at+".d", d.Name), d.Contents))
		}
		switch {
		case u.Mask == nil:
		case *u.Mask:
			masks = append(masks, map[string]any{"path": at, "target": "/dev/null", "overwrite": true})
		default:
			masks = append(masks, map[string]any{"path": at, "target": "/dev/null", "absent": true})
		}
		switch {
		case u.Enabled == nil:
		case *u.Enabled:
			commands = append(commands, []any{"systemctl", "enable", "--now", u.Name})
		default:
			commands = append(commands, []any{"systemctl", "disable", u.Name})
		}
	}
	if len(im.Units) > 0 {
		commands = append([]any{[]any{"systemctl", "daemon-reload"}}, commands...)
	}
	if lines := presets(im.Units); len(lines) > 0 {
		files = append(files, map[string]any{"path": presetFile, "append": true, "content": strings.Join(lines, "\n") + "\n"})
	}
	return files, masks, commands
}

func unitFile(at, content string) map[string]any {
	m := map[string]any{"path": at, "permissions": "0644"}
	setContent(m, []byte(content))
	return m
}

// presets are the lines that enable and disable units, by the units' names. An
// instance is named behind its template: "enable echo@.service a b".
func presets(units []Unit) []string {
	var lines []string
	for _, u := range units {
		if u.Enabled == nil {
			continue
		}
		verb := "disable "
		if *u.Enabled {
			verb = "enable "
		}
		name, instance := template(u.Name)
		line := verb + name
		i := slices.IndexFunc(lines, func(l string) bool { return instance != "" && strings.HasPrefix(l, line+" ") })
		switch {
		case instance == "":
			lines = append(lines, line)
		case i < 0:
			lines = append(lines, line+" "+instance)
		default:
			lines[i] += " " + instance
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, ' '):], b[strings.IndexByte(b, ' '):])
	})
	return lines
}

// template takes a unit's name apart: echo@a.service is echo@.service and a.
func template(name string) (unit, instance string) {
	at, dot := strings.Index(name, "@"), strings.LastIndex(name, ".")
	if at < 0 || dot < at {
		return name, ""
	}
	return name[:at+1] + name[dot:], name[at+1 : dot]
}
