package modules

import "rancheros/cloudconfig/shape"

func ansible() *shape.Shape {
	text, flag := shape.Text, shape.Flag
	count := func() *shape.Shape { return shape.Number().AtLeast(0) }
	shared := []shape.Key{
		shape.K("diff", flag()), shape.K("ssh_common_args", text()), shape.K("scp_extra_args", text()),
		shape.K("sftp_extra_args", text()), shape.K("private_key", text()), shape.K("connection", text()),
		shape.K("module_path", text()), shape.K("module_name", text()), shape.K("vault_id", text()),
		shape.K("vault_password_file", text()), shape.K("inventory", text()), shape.K("sleep", text()),
		shape.K("tags", text()), shape.K("skip_tags", text()),
	}
	pull := func() *shape.Shape {
		return shape.Object(
			shape.K("url", text()), shape.K("playbook_names", stringList().AtLeast(1)),
			oldKey("playbook_name", "25.2", "playbook_names", text()),
			shape.K("accept_host_key", flag()), shape.K("clean", flag()), shape.K("full", flag()),
			shape.K("checkout", text()), shape.K("timeout", text()), shape.K("verify_commit", flag()),
		).With(shared...).Needs("url", "playbook_names").Needs("url", "playbook_name")
	}
	playbook := shape.Object(
		shape.K("playbook_name", text()), shape.K("playbook_dir", text()),
		shape.K("become_password_file", text()), shape.K("become_user", text()),
		shape.K("connection_password_file", text()), shape.K("list_hosts", flag()), shape.K("syntax_check", flag()),
		shape.K("timeout", count()), shape.K("background", count()), shape.K("forks", count()), shape.K("poll", count()),
		shape.K("check", flag()), shape.K("args", text()), shape.K("extra_vars", text()),
	).With(shared...).More()
	repository := shape.Object(shape.K("path", text()), shape.K("source", text())).Needs("path", "source")
	return shape.Object(
		shape.K("install_method", shape.OneOf("distro", "pip")),
		shape.K("run_user", text()),
		shape.K("ansible_config", text()),
		shape.K("package_name", text()),
		shape.K("galaxy", shape.Object(shape.K("actions", shape.ListOf(stringList()))).Needs("actions")),
		shape.K("setup_controller", shape.Object(
			shape.K("repositories", shape.ListOf(repository)),
			shape.K("run_ansible", shape.ListOf(playbook)),
		)),
		shape.K("pull", shape.Either(shape.ListOf(pull()), pull().Outdated("25.2", "write a list"))),
	)
}

func puppet() *shape.Shape {
	text, flag := shape.Text, shape.Flag
	return shape.Object(
		shape.K("install", flag()), shape.K("version", text()),
		shape.K("install_type", shape.OneOf("packages", "aio")), shape.K("collection", text()),
		shape.K("aio_install_url", text()), shape.K("cleanup", flag()), shape.K("conf_file", text()),
		shape.K("ssl_dir", text()), shape.K("csr_attributes_path", text()), shape.K("package_name", text()),
		shape.K("exec", flag()), shape.K("exec_args", stringList()), shape.K("start_service", flag()),
		shape.K("conf", shape.Object(
			shape.K("main", anyMap()), shape.K("server", anyMap()), shape.K("agent", anyMap()),
			shape.K("user", anyMap()), shape.K("ca_cert", text()),
		)),
		shape.K("csr_attributes", shape.Object(
			shape.K("custom_attributes", anyMap()), shape.K("extension_requests", anyMap()),
		)),
	)
}

func chef() *shape.Shape {
	text, flag := shape.Text, shape.Flag
	o := shape.Object(
		shape.K("directories", stringList().AtLeast(1).Distinct()),
		shape.K("exec", flag()), shape.K("show_time", flag()), shape.K("force_install", flag()),
		shape.K("omnibus_url_retries", shape.Integer()),
		shape.K("initial_attributes", anyMap()),
		shape.K("install_type", shape.Text().Matching("packages, gems or omnibus", "^(packages|gems|omnibus)$",
			func(s string) bool { return s == "packages" || s == "gems" || s == "omnibus" })),
		shape.K("run_list", stringList()),
		shape.K("chef_license", shape.OneOf("accept", "accept-silent", "accept-no-persist")),
	)
	for _, name := range []string{"config_path", "validation_cert", "validation_key", "firstboot_path", "client_key",
		"encrypted_data_bag_secret", "environment", "file_backup_path", "file_cache_path", "json_attribs", "log_level",
		"log_location", "node_name", "omnibus_url", "omnibus_version", "pid_file", "server_url", "ssl_verify_mode",
		"validation_name"} {
		o.Keys = append(o.Keys, shape.K(name, text()))
	}
	return o.AtLeast(1)
}

func saltMinion() *shape.Shape {
	text := shape.Text
	return shape.Object(
		shape.K("pkg_name", text()), shape.K("service_name", text()), shape.K("config_dir", text()),
		shape.K("conf", anyMap()), shape.K("grains", anyMap()), shape.K("public_key", text()),
		shape.K("private_key", text()), shape.K("pki_dir", text()),
	)
}

func mcollective() *shape.Shape {
	conf := shape.MapOf(shape.Of(shape.String|shape.Bool|shape.Int)).With(
		shape.K("public-cert", shape.Text()),
		shape.K("private-cert", shape.Text()),
	)
	return shape.Object(shape.K("conf", conf))
}

func landscape() *shape.Shape {
	text := shape.Text
	tags := text().Matching("words between commas", `^[-_0-9a-zA-Z]+(,[-_0-9a-zA-Z]+)*$`, func(s string) bool {
		return words(s, "-_,") && s[0] != ',' && s[len(s)-1] != ',' && !hasDouble(s, ',')
	})
	client := shape.Object(
		shape.K("url", text()), shape.K("ping_url", text()), shape.K("data_path", text()),
		shape.K("log_level", shape.OneOf("debug", "info", "warning", "error", "critical")),
		shape.K("computer_title", text()), shape.K("account_name", text()), shape.K("registration_key", text()),
		shape.K("tags", tags), shape.K("http_proxy", text()), shape.K("https_proxy", text()),
	).More().Needs("account_name", "computer_title")
	return shape.Object(shape.K("client", client)).Needs("client")
}

func hasDouble(s string, c byte) bool {
	for i := 1; i < len(s); i++ {
		if s[i] == c && s[i-1] == c {
			return true
		}
	}
	return false
}

func lxd() *shape.Shape {
	text, integer, flag := shape.Text, shape.Integer, shape.Flag
	return shape.Object(
		shape.K("init", shape.Object(
			shape.K("network_address", text()), shape.K("network_port", integer()),
			shape.K("storage_backend", shape.OneOf("zfs", "dir", "lvm", "btrfs")),
			shape.K("storage_create_device", text()), shape.K("storage_create_loop", integer()),
			shape.K("storage_pool", text()), shape.K("trust_password", text()),
		)),
		shape.K("bridge", shape.Object(
			shape.K("mode", shape.OneOf("none", "existing", "new")), shape.K("name", text()),
			shape.K("mtu", integer().AtLeast(-1)),
			shape.K("ipv4_address", text()), shape.K("ipv4_netmask", integer()), shape.K("ipv4_dhcp_first", text()),
			shape.K("ipv4_dhcp_last", text()), shape.K("ipv4_dhcp_leases", integer()), shape.K("ipv4_nat", flag()),
			shape.K("ipv6_address", text()), shape.K("ipv6_netmask", integer()), shape.K("ipv6_nat", flag()),
			shape.K("domain", text()),
		).Needs("mode")),
		shape.K("preseed", text()),
	).AtLeast(1)
}
