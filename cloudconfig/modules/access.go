package modules

import (
	"strings"
	"time"

	"rancheros/cloudconfig/shape"
)

// groups: text, map of members, or list of both.
func groups() *shape.Shape {
	byName := func() *shape.Shape {
		return shape.MapOf(shape.Either(shape.Text(), stringList().AtLeast(1)))
	}
	list := shape.ListOf(shape.Either(shape.Text(), byName())).AtLeast(1)
	return shape.Either(shape.Text(), list, byName())
}

func users() *shape.Shape {
	one := shape.Either(userKeys(), shape.Text(), stringList())
	return shape.Either(shape.ListOf(one), shape.Text(), shape.Of(shape.Map))
}

// defaultUser changes the default user: a name or keys.
func defaultUser() *shape.Shape { return shape.Either(shape.Text(), userKeys()) }

func userKeys() *shape.Shape {
	text, flag := shape.Text, shape.Flag
	keys := func() *shape.Shape { return stringList().AtLeast(1) }
	return shape.Object(
		shape.K("name", text()),
		shape.K("uid", shape.Either(shape.Integer(), text().Outdated("22.3", "write a number"))),
		shape.K("gecos", text()),
		shape.K("homedir", text()),
		shape.K("no_create_home", flag()),
		shape.K("primary_group", text()),
		shape.K("groups", shape.Either(text(), keys(),
			shape.MapOf(shape.Nothing().Outdated("23.1", "write a list")))),
		shape.K("create_groups", flag()),
		shape.K("no_user_group", flag()),
		shape.K("system", flag()),
		shape.K("shell", text()),
		shape.K("sudo", shape.Either(text(), shape.ListOf(shape.Of(shape.String|shape.Null)), shape.Nothing(),
			shape.Flag().Outdated("22.2", "write null"))),
		shape.K("doas", keys()),
		shape.K("lock_passwd", flag()),
		shape.K("passwd", text()),
		shape.K("hashed_passwd", text()),
		shape.K("plain_text_passwd", text()),
		shape.K("expiredate", text().Matching("a date as 2032-09-01", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", isDay)),
		shape.K("inactive", text()),
		shape.K("ssh_authorized_keys", keys()),
		shape.K("ssh_import_id", keys()),
		shape.K("ssh_redirect_user", flag()),
		shape.K("selinux_user", text()),
		shape.K("no_log_init", flag()),
		shape.K("snapuser", text()),
		oldKey("lock-passwd", "22.3", "lock_passwd", flag()),
		oldKey("ssh-authorized-keys", "18.3", "ssh_authorized_keys", keys()),
		oldKey("no-create-home", "24.2", "no_create_home", flag()),
		oldKey("no-log-init", "24.2", "no_log_init", flag()),
		oldKey("no-user-group", "24.2", "no_user_group", flag()),
		oldKey("hashed-passwd", "24.2", "hashed_passwd", text()),
		oldKey("plain-text-passwd", "24.2", "plain_text_passwd", text()),
		oldKey("create-groups", "24.2", "create_groups", flag()),
		oldKey("primary-group", "24.2", "primary_group", text()),
		oldKey("selinux-user", "24.2", "selinux_user", text()),
		oldKey("ssh-import-id", "24.2", "ssh_import_id", keys()),
		oldKey("ssh-redirect-user", "24.2", "ssh_redirect_user", flag()),
	).NeedsOneOf("name", "snapuser")
}

func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func sshAuthorizedKeys() *shape.Shape { return stringList().AtLeast(1) }

func sshKeys() *shape.Shape {
	return shape.MapOf(shape.Text()).KeysMatching("^(rsa|ecdsa|ed25519)_(private|public|certificate)$", func(key string) bool {
		kind, part, ok := strings.Cut(key, "_")
		return ok && (kind == "rsa" || kind == "ecdsa" || kind == "ed25519") &&
			(part == "private" || part == "public" || part == "certificate")
	})
}

func sshGenKeyTypes() *shape.Shape {
	return shape.ListOf(shape.OneOf("ed25519", "ecdsa", "rsa")).AtLeast(1)
}

func sshPublishHostkeys() *shape.Shape {
	return shape.Object(
		shape.K("enabled", shape.Flag()),
		shape.K("blacklist", stringList()),
	)
}

func sshPwauth() *shape.Shape {
	return shape.Either(shape.Flag(), shape.Text().Outdated("22.3", "write true or false"))
}

func ssh() *shape.Shape {
	return shape.Object(shape.K("emit_keys_to_console", shape.Flag())).Needs("emit_keys_to_console")
}

func chpasswd() *shape.Shape {
	random := shape.Object(
		shape.K("name", shape.Text()),
		shape.K("type", shape.OneOf("RANDOM")),
	).More().Needs("name", "type")
	given := shape.Object(
		shape.K("name", shape.Text()),
		shape.K("type", shape.OneOf("hash", "text")),
		shape.K("password", shape.Text()),
	).More().Needs("name", "password")
	pair := shape.Text().Matching("name:password", "^.+:.+$", func(s string) bool {
		name, password, ok := strings.Cut(s, ":")
		return ok && name != "" && password != ""
	})
	return shape.Object(
		shape.K("expire", shape.Flag()),
		shape.K("users", shape.ListOf(shape.Either(given, random))),
		shape.K("list", shape.Either(shape.Text(), shape.ListOf(pair).AtLeast(1)).
			Outdated("22.2", "use users")),
	)
}
