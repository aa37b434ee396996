// Package all lists the datasources.
package all

import (
	"rancheros/datasources"
	"rancheros/datasources/akamai"
	"rancheros/datasources/aliyun"
	"rancheros/datasources/altcloud"
	"rancheros/datasources/azure"
	"rancheros/datasources/bigstep"
	"rancheros/datasources/cloudcix"
	"rancheros/datasources/cloudsigma"
	"rancheros/datasources/cloudstack"
	"rancheros/datasources/cmdline"
	"rancheros/datasources/configdrive"
	"rancheros/datasources/digitalocean"
	"rancheros/datasources/ec2"
	"rancheros/datasources/exoscale"
	"rancheros/datasources/file"
	"rancheros/datasources/fwcfg"
	"rancheros/datasources/gce"
	"rancheros/datasources/hetzner"
	"rancheros/datasources/huawei"
	"rancheros/datasources/hyperv"
	"rancheros/datasources/ibm"
	"rancheros/datasources/lxd"
	"rancheros/datasources/maas"
	"rancheros/datasources/nocloud"
	"rancheros/datasources/nwcs"
	"rancheros/datasources/opennebula"
	"rancheros/datasources/openstack"
	"rancheros/datasources/oracle"
	"rancheros/datasources/ovf"
	"rancheros/datasources/packet"
	"rancheros/datasources/proxmox"
	"rancheros/datasources/rbxcloud"
	"rancheros/datasources/scaleway"
	"rancheros/datasources/smartos"
	"rancheros/datasources/smbios"
	"rancheros/datasources/tencent"
	"rancheros/datasources/tftp"
	"rancheros/datasources/upcloud"
	"rancheros/datasources/url"
	"rancheros/datasources/vmware"
	"rancheros/datasources/vultr"
	"rancheros/datasources/wsl"
)

// Kinds are the datasources in the order in which they are tried, where nothing
// else decides.
func Kinds() []datasources.Kind {
	return []datasources.Kind{
		nocloud.Kind,
		configdrive.Kind,
		azure.Kind,
		vmware.Kind,
		ovf.Kind,
		opennebula.Kind,
		digitalocean.Kind,
		gce.Kind,
		openstack.Kind,
		ec2.Kind,
		hetzner.Kind,
		vultr.Kind,
		scaleway.Kind,
		oracle.Kind,
		exoscale.Kind,
		upcloud.Kind,
		akamai.Kind,
		aliyun.Kind,
		tencent.Kind,
		cloudstack.Kind,
		lxd.Kind,
		proxmox.Kind,
		packet.Kind,
		cmdline.Kind,
		file.Kind,
		url.Kind,
		ibm.Kind,
		huawei.Kind,
		nwcs.Kind,
		cloudcix.Kind,
		maas.Kind,
		rbxcloud.Kind,
		bigstep.Kind,
		altcloud.Kind,
		smartos.Kind,
		cloudsigma.Kind,
		fwcfg.Kind,
		smbios.Kind,
		hyperv.Kind,
		tftp.Kind,
		wsl.Kind,
	}
}
