package modules

import (
	"strings"

	"rancheros/cloudconfig/shape"
)

func bootcmd() *shape.Shape {
	return shape.ListOf(shape.Either(stringList(), shape.Text())).AtLeast(1)
}

func runcmd() *shape.Shape {
	return shape.ListOf(shape.Either(stringList(), shape.Text(), shape.Nothing())).AtLeast(1)
}

func powerState() *shape.Shape {
	minutes := shape.Text().Matching("a number of minutes", `^\+?[0-9]+$`, func(s string) bool {
		s = strings.TrimPrefix(s, "+")
		return s != "" && strings.Trim(s, "0123456789") == ""
	})
	return shape.Object(
		shape.K("mode", shape.OneOf("poweroff", "reboot", "halt")),
		shape.K("delay", shape.Either(shape.Integer().AtLeast(0), shape.OneOf("now"),
			minutes.Outdated("22.3", "write `now` or a number"))),
		shape.K("message", shape.Text()),
		shape.K("timeout", shape.Integer()),
		shape.K("condition", shape.Of(shape.String|shape.Bool|shape.List)),
	).Needs("mode")
}

func phoneHome() *shape.Shape {
	what := shape.OneOf("pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn")
	return shape.Object(
		shape.K("url", shape.Text()),
		shape.K("post", shape.Either(shape.OneOf("all"), shape.ListOf(what))),
		shape.K("tries", shape.Integer()),
	).Needs("url")
}

func mergeHow() *shape.Shape {
	merger := shape.Object(
		shape.K("name", shape.OneOf("list", "dict", "str")),
		shape.K("settings", shape.ListOf(shape.OneOf("allow_delete", "no_replace", "replace", "append", "prepend",
			"recurse_dict", "recurse_list", "recurse_array", "recurse_str"))),
	).Needs("name", "settings")
	return shape.Either(shape.Text(), shape.ListOf(merger).AtLeast(1))
}

func vendorData() *shape.Shape {
	return shape.Object(
		shape.K("enabled", shape.Either(shape.Flag(), shape.Text().Outdated("22.3", "write true or false"))),
		shape.K("prefix", shape.Either(shape.ListOf(shape.Of(shape.String|shape.Int)), shape.Text())),
		shape.K("disabled_handlers", stringList()),
	)
}

func updates() *shape.Shape {
	return shape.Object(shape.K("network", shape.Object(
		shape.K("when", shape.ListOf(shape.OneOf("boot-new-instance", "boot-legacy", "boot", "hotplug"))),
	).Needs("when")))
}

func output() *shape.Shape {
	stage := func() *shape.Shape {
		return shape.Either(shape.Text(), stringList().AtLeast(2).AtMost(2), shape.Object(
			shape.K("output", shape.Text()),
			shape.K("error", shape.Text()),
		))
	}
	return shape.Object(
		shape.K("all", stage()),
		shape.K("init", stage()),
		shape.K("config", stage()),
		shape.K("final", stage()),
	)
}

func reporting() *shape.Shape {
	return shape.MapOf(shape.Either(
		shape.Object(
			shape.K("type", shape.OneOf("log")),
			shape.K("level", shape.OneOf("DEBUG", "INFO", "WARN", "ERROR", "FATAL")),
		).Needs("type"),
		shape.Object(shape.K("type", shape.OneOf("print", "none"))).Needs("type"),
		shape.Object(
			shape.K("type", shape.OneOf("webhook")),
			shape.K("endpoint", shape.Text()),
			shape.K("consumer_key", shape.Text()),
			shape.K("consumer_secret", shape.Text()),
			shape.K("token_key", shape.Text()),
			shape.K("token_secret", shape.Text()),
			shape.K("timeout", shape.Number().AtLeast(0)),
			shape.K("retries", shape.Integer().AtLeast(0)),
		).Needs("type", "endpoint"),
		shape.Object(
			shape.K("type", shape.OneOf("hyperv")),
			shape.K("kvp_file_path", shape.Text()),
			shape.K("event_types", stringList()),
		).Needs("type"),
	))
}
