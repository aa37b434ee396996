package modules

import "rancheros/cloudconfig/shape"

func ubuntuPro() *shape.Shape {
	proxy := func() *shape.Shape { return shape.Of(shape.String | shape.Null) }
	return shape.Object(
		shape.K("enable", stringList()),
		shape.K("enable_beta", stringList()),
		shape.K("token", shape.Text()),
		shape.K("features", shape.Object(shape.K("disable_auto_attach", shape.Flag()))),
		shape.K("config", shape.Object(
			shape.K("http_proxy", proxy()), shape.K("https_proxy", proxy()),
			shape.K("global_apt_http_proxy", proxy()), shape.K("global_apt_https_proxy", proxy()),
			shape.K("ua_apt_http_proxy", proxy()), shape.K("ua_apt_https_proxy", proxy()),
		).More()),
	)
}

func drivers() *shape.Shape {
	return shape.Object(shape.K("nvidia", shape.Object(
		shape.K("license-accepted", shape.Flag()),
		shape.K("version", shape.Text()),
	).Needs("license-accepted")))
}

func autoinstall() *shape.Shape {
	return shape.Object(shape.K("version", shape.Integer())).More().Needs("version")
}

func byobu() *shape.Shape {
	return shape.OneOf("enable-system", "enable-user", "disable-system", "disable-user", "enable", "disable", "user", "system")
}

func fan() *shape.Shape {
	return shape.Object(shape.K("config", shape.Text()), shape.K("config_path", shape.Text())).Needs("config")
}

func grubDpkg() *shape.Shape {
	return shape.Object(
		shape.K("enabled", shape.Flag()),
		shape.K("grub-pc/install_devices", shape.Text()),
		shape.K("grub-pc/install_devices_empty", shape.Either(shape.Flag(), shape.Text().Outdated("22.3", "write true or false"))),
		shape.K("grub-efi/install_devices", shape.Text()),
	)
}

func rhSubscription() *shape.Shape {
	text := shape.Text
	o := shape.Object(
		shape.K("username", text()),
		shape.K("password", text()),
		shape.K("org", shape.Either(text(), shape.Integer().Outdated("24.2", "write a string"))),
	)
	for _, k := range []struct {
		new, old string
		shape    func() *shape.Shape
	}{
		{"activation_key", "activation-key", text},
		{"auto_attach", "auto-attach", shape.Flag},
		{"service_level", "service-level", text},
		{"add_pool", "add-pool", stringList},
		{"enable_repo", "enable-repo", stringList},
		{"disable_repo", "disable-repo", stringList},
		{"release_version", "release-version", text},
		{"rhsm_baseurl", "rhsm-baseurl", text},
		{"server_hostname", "server-hostname", text},
	} {
		o = o.With(shape.K(k.new, k.shape()), oldKey(k.old, "25.3", k.new, k.shape()))
	}
	return o
}

func spacewalk() *shape.Shape {
	return shape.Object(
		shape.K("server", shape.Text()),
		shape.K("proxy", shape.Text()),
		shape.K("activation_key", shape.Text()),
	)
}

func rpi() *shape.Shape {
	serial := shape.Either(shape.Flag(), shape.Object(
		shape.K("console", shape.Flag()),
		shape.K("hardware", shape.Flag()),
	))
	return shape.Object(
		shape.K("interfaces", shape.Object(
			shape.K("spi", shape.Flag()),
			shape.K("i2c", shape.Flag()),
			shape.K("serial", serial),
			shape.K("onewire", shape.Flag()),
			shape.K("remote_gpio", shape.Flag()),
		)),
		shape.K("enable_usb_gadget", shape.Flag()),
		shape.K("enable_rpi_connect", shape.Flag()),
	)
}
