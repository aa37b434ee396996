package gce

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"rancheros/datasources/internal/wire"
)

// ours are the users whose keys let into this machine.
var ours = []string{"cloudinit", "rancher", "docker"}

// keys are the ssh keys of the instance, and of the project unless the instance
// does not want them. When none of them is for one of our users all are taken,
// as RancherOS does: on other images, too, each of these people is root.
func (a *answers) keys(now time.Time) []string {
	in, project := wire.Doc(a.instance), wire.Doc(a.project)
	lists := []string{in.Str("sshKeys"), in.Str("ssh-keys")}
	if !strings.EqualFold(in.Str("block-project-ssh-keys"), "true") && in.Str("sshKeys") == "" {
		lists = append(lists, project.Str("sshKeys"), project.Str("ssh-keys"))
	}
	var mine, all []string
	for line := range strings.Lines(strings.Join(lists, "\n")) {
		user, key, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || key == "" || !ascii(key) || expired(key, now) {
			continue
		}
		all = append(all, key)
		if slices.Contains(ours, user) {
			mine = append(mine, key)
		}
	}
	if len(mine) > 0 {
		return mine
	}
	return all
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}

// expired reads what follows a key:
//
//	ssh-rsa AAAA google-ssh {"userName":"a@example.com","expireOn":"2026-01-02T03:04:05+0000"}
func expired(key string, now time.Time) bool {
	fields := strings.Fields(key)
	if len(fields) < 4 || fields[2] != "google-ssh" {
		return false
	}
	var v struct {
		ExpireOn string `json:"expireOn"`
	}
	if err := json.Unmarshal([]byte(key[strings.Index(key, fields[2])+len(fields[2]):]), &v); err != nil {
		return false
	}
	end, err := time.Parse("2006-01-02T15:04:05-0700", v.ExpireOn)
	return err == nil && now.After(end)
}
