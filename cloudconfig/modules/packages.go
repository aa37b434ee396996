package modules

import (
	"strings"

	"rancheros/cloudconfig/shape"
)

func packages() *shape.Shape {
	one := func() *shape.Shape {
		return shape.Either(shape.Text(), stringList().AtLeast(2).AtMost(2))
	}
	byManager := shape.Object(
		shape.K("apt", shape.ListOf(one())),
		shape.K("snap", shape.ListOf(one())),
	)
	return shape.ListOf(shape.Either(one(), byManager)).AtLeast(1)
}

func apt() *shape.Shape {
	text := shape.Text
	mirrors := func() *shape.Shape {
		return shape.ListOf(shape.Object(
			shape.K("arches", stringList().AtLeast(1)),
			shape.K("uri", text()),
			shape.K("search", stringList().AtLeast(1)),
			shape.K("search_dns", shape.Flag()),
			shape.K("keyid", text()),
			shape.K("key", text()),
			shape.K("keyserver", text()),
		).Needs("arches")).AtLeast(1)
	}
	source := shape.Object(
		shape.K("source", text()),
		shape.K("keyid", text()),
		shape.K("key", text()),
		shape.K("keyserver", text()),
		shape.K("filename", text()),
		shape.K("append", shape.Flag()),
	).AtLeast(1)
	return shape.Object(
		shape.K("preserve_sources_list", shape.Flag()),
		shape.K("disable_suites", stringList().AtLeast(1).Distinct()),
		shape.K("primary", mirrors()),
		shape.K("security", mirrors()),
		shape.K("add_apt_repo_match", text()),
		shape.K("debconf_selections", shape.MapOf(text()).AtLeast(1)),
		shape.K("sources_list", text()),
		shape.K("conf", text()),
		shape.K("proxy", text()),
		shape.K("http_proxy", text()),
		shape.K("https_proxy", text()),
		shape.K("ftp_proxy", text()),
		shape.K("sources", shape.MapOf(source)),
		shape.K("generate_mirrorlists", shape.Flag()), // Debian's own
	).AtLeast(1)
}

func aptPipelining() *shape.Shape {
	return shape.Either(shape.Integer(), shape.Flag(), shape.OneOf("os"),
		shape.OneOf("none", "unchanged").Outdated("22.4", "write false or `os`"))
}

func apkRepos() *shape.Shape {
	return shape.Object(
		shape.K("preserve_repositories", shape.Flag()),
		shape.K("alpine_repo", shape.Either(shape.Object(
			shape.K("base_url", shape.Text()),
			shape.K("community_enabled", shape.Flag()),
			shape.K("testing_enabled", shape.Flag()),
			shape.K("version", shape.Text()),
		).AtLeast(1).Needs("version"), shape.Nothing())),
		shape.K("local_repo_base_url", shape.Text()),
	).AtLeast(1)
}

func yumRepos() *shape.Shape {
	option := shape.MapOf(shape.Of(shape.String|shape.Bool|shape.Int)).
		With(
			shape.K("baseurl", shape.Text()),
			shape.K("metalink", shape.Text()),
			shape.K("mirrorlist", shape.Text()),
			shape.K("name", shape.Text()),
			shape.K("enabled", shape.Flag()),
		).
		KeysMatching("^[0-9a-zA-Z_]+$", func(k string) bool { return words(k, "_") }).
		Needs("baseurl").Needs("metalink").Needs("mirrorlist")
	return shape.MapOf(option).AtLeast(1).KeysMatching("^[ -z]+$", func(k string) bool {
		return k != "" && strings.IndexFunc(k, func(r rune) bool { return r < ' ' || r > 'z' }) < 0
	})
}

// words: letters, digits and some others; at least one.
func words(s, more string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune(more, r))
	}) < 0
}

func zypper() *shape.Shape {
	return shape.Object(
		shape.K("repos", shape.ListOf(shape.Object(
			shape.K("id", shape.Text()),
			shape.K("baseurl", shape.Text()),
		).More().Needs("id", "baseurl")).AtLeast(1)),
		shape.K("config", anyMap()),
	).More().AtLeast(1)
}

// snap: lists, or maps by number, of texts and of commands.
func snap() *shape.Shape {
	either := func(item func() *shape.Shape) (list, byNumber *shape.Shape) {
		return shape.ListOf(item()).AtLeast(1), shape.MapOf(item()).KeysMatching("", nil).AtLeast(1)
	}
	assertions, numbered := either(shape.Text)
	commands, inOrder := either(func() *shape.Shape { return shape.Either(shape.Text(), stringList()) })
	return shape.Object(
		shape.K("assertions", shape.Either(assertions.Distinct(), numbered)),
		shape.K("commands", shape.Either(commands, inOrder)),
	).AtLeast(1)
}
