package modules

import (
	"strings"

	"rancheros/cloudconfig/shape"
)

func manageEtcHosts() *shape.Shape {
	return shape.Either(shape.OneOf(true, false, "localhost"), shape.OneOf("template").Outdated("22.3", "write true"))
}

func resolvConf() *shape.Shape {
	return shape.Object(
		shape.K("nameservers", anyList()),
		shape.K("searchdomains", anyList()),
		shape.K("domain", shape.Text()),
		shape.K("sortlist", anyList()),
		shape.K("options", anyMap()),
	)
}

func writeFiles() *shape.Shape {
	source := shape.Object(
		shape.K("uri", shape.Text()),
		shape.K("headers", shape.MapOf(shape.Text())),
	).Needs("uri")
	return shape.ListOf(shape.Object(
		shape.K("path", shape.Text()),
		shape.K("content", shape.Text()),
		shape.K("source", source),
		shape.K("encoding", shape.OneOf("text/plain", "b64", "base64", "gz", "gzip",
			"gz+b64", "gz+base64", "gzip+b64", "gzip+base64")),
		shape.K("owner", shape.Text()),
		shape.K("permissions", shape.Text()),
		shape.K("append", shape.Flag()),
		shape.K("overwrite", shape.Flag()),
		shape.K("defer", shape.Flag()),
		shape.K("container", shape.Text()),
	).Needs("path")).AtLeast(1)
}

func mounts() *shape.Shape {
	return shape.ListOf(stringList().AtLeast(1).AtMost(6)).AtLeast(1)
}

func mountDefaultFields() *shape.Shape {
	return shape.ListOf(shape.Of(shape.String | shape.Null)).AtLeast(6).AtMost(6)
}

func swap() *shape.Shape {
	size := func() *shape.Shape {
		return shape.Text().Matching("a number with B, K, M, G or T", `^([0-9]+)?\.?[0-9]+[BKMGT]$`, isSize)
	}
	return shape.Object(
		shape.K("filename", shape.Text()),
		shape.K("size", shape.Either(shape.Integer(), shape.OneOf("auto"), size())),
		shape.K("maxsize", shape.Either(shape.Integer(), size())),
	)
}

// isSize: digits, perhaps with one point before the last of them, and a unit.
func isSize(s string) bool {
	if s == "" || !strings.ContainsRune("BKMGT", rune(s[len(s)-1])) {
		return false
	}
	whole, frac, point := strings.Cut(s[:len(s)-1], ".")
	if !point {
		whole, frac = "", whole
	}
	return frac != "" && strings.Trim(whole+frac, "0123456789") == ""
}

func growpart() *shape.Shape {
	return shape.Object(
		shape.K("mode", shape.Either(shape.OneOf("auto", "growpart", "gpart", "off"),
			shape.OneOf(false).Outdated("22.3", "write 'off'"))),
		shape.K("devices", stringList()),
		shape.K("ignore_growroot_disabled", shape.Flag()),
	)
}

func resizeRootfs() *shape.Shape { return shape.OneOf(true, false, "noblock") }

func diskSetup() *shape.Shape {
	typed := shape.Tuple(shape.Of(shape.Int|shape.String), shape.Of(shape.String|shape.Int))
	return shape.MapOf(shape.Object(
		shape.K("table_type", shape.OneOf("mbr", "gpt")),
		shape.K("layout", shape.Either(shape.Flag(), shape.OneOf("remove"),
			shape.ListOf(shape.Either(shape.Integer(), typed)))),
		shape.K("overwrite", shape.Flag()),
	))
}

func fsSetup() *shape.Shape {
	words := func() *shape.Shape { return shape.Either(stringList(), shape.Text()) }
	return shape.ListOf(shape.Object(
		shape.K("label", shape.Text()),
		shape.K("filesystem", shape.Text()),
		shape.K("device", shape.Text()),
		shape.K("partition", shape.OneOf("auto", "any", "none")),
		shape.K("overwrite", shape.Flag()),
		shape.K("replace_fs", shape.Text()),
		shape.K("extra_opts", words()),
		shape.K("cmd", words()),
	))
}

func deviceAliases() *shape.Shape { return shape.MapOf(shape.Text()) }

func ntp() *shape.Shape {
	return shape.Either(shape.Object(
		shape.K("enabled", shape.Flag()),
		shape.K("pools", distinctStrings()),
		shape.K("servers", distinctStrings()),
		shape.K("peers", distinctStrings()),
		shape.K("allow", distinctStrings()),
		shape.K("ntp_client", shape.Text()),
		shape.K("config", shape.Object(
			shape.K("confpath", shape.Text()),
			shape.K("check_exe", shape.Text()),
			shape.K("packages", distinctStrings()),
			shape.K("service_name", shape.Text()),
			shape.K("template", shape.Text()),
		).AtLeast(1)),
	), shape.Nothing())
}

func locale() *shape.Shape { return shape.Either(shape.Text(), shape.Flag()) }

func keyboard() *shape.Shape {
	return shape.Object(
		shape.K("layout", shape.Text()),
		shape.K("model", shape.Text()),
		shape.K("variant", shape.Text()),
		shape.K("options", shape.Text()),
	).Needs("layout")
}

func caCerts() *shape.Shape {
	return shape.Object(
		shape.K("remove_defaults", shape.Flag()),
		shape.K("trusted", stringList().AtLeast(1)),
		oldKey("remove-defaults", "22.3", "remove_defaults", shape.Flag()),
	).AtLeast(1)
}

func wireguard() *shape.Shape {
	return shape.Either(shape.Object(
		shape.K("interfaces", shape.ListOf(shape.Object(
			shape.K("name", shape.Text()),
			shape.K("config_path", shape.Text()),
			shape.K("content", shape.Text()),
		)).AtLeast(1)),
		shape.K("readinessprobe", distinctStrings()),
	).AtLeast(1).Needs("interfaces"), shape.Nothing())
}

func rsyslog() *shape.Shape {
	piece := shape.Object(
		shape.K("content", shape.Text()),
		shape.K("filename", shape.Text()),
	).Needs("content")
	return shape.Object(
		shape.K("config_dir", shape.Text()),
		shape.K("config_filename", shape.Text()),
		shape.K("configs", shape.ListOf(shape.Either(piece, shape.Text()))),
		shape.K("remotes", anyMap()),
		shape.K("service_reload_command", shape.Either(stringList(), shape.OneOf("auto"))),
		shape.K("install_rsyslog", shape.Flag()),
		shape.K("check_exe", shape.Text()),
		shape.K("packages", distinctStrings()),
	)
}

func randomSeed() *shape.Shape {
	return shape.Object(
		shape.K("file", shape.Text()),
		shape.K("data", shape.Text()),
		shape.K("encoding", shape.OneOf("raw", "base64", "b64", "gzip", "gz")),
		shape.K("command", stringList()),
		shape.K("command_required", shape.Flag()),
	)
}
