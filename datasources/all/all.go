// Package all lists the datasources.
package all

import (
	"rancheros/datasources"
	"rancheros/datasources/akamai"
	"rancheros/datasources/aliyun"
	"rancheros/datasources/azure"
	"rancheros/datasources/cloudstack"
	"rancheros/datasources/digitalocean"
	"rancheros/datasources/ec2"
	"rancheros/datasources/exoscale"
	"rancheros/datasources/gce"
	"rancheros/datasources/hetzner"
	"rancheros/datasources/lxd"
	"rancheros/datasources/nocloud"
	"rancheros/datasources/opennebula"
	"rancheros/datasources/oracle"
	"rancheros/datasources/ovf"
	"rancheros/datasources/packet"
	"rancheros/datasources/proxmox"
	"rancheros/datasources/scaleway"
	"rancheros/datasources/tencent"
	"rancheros/datasources/upcloud"
	"rancheros/datasources/vmware"
	"rancheros/datasources/vultr"
)

// Kinds are the datasources in the order in which they are tried, where nothing
// else decides.
func Kinds() []datasources.Kind {
	return []datasources.Kind{
		nocloud.Kind,
		azure.Kind,
		vmware.Kind,
		ovf.Kind,
		opennebula.Kind,
		digitalocean.Kind,
		gce.Kind,
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
	}
}
