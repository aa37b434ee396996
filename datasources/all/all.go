// Package all lists the datasources.
package all

import (
	"rancheros/datasources"
	"rancheros/datasources/akamai"
	"rancheros/datasources/azure"
	"rancheros/datasources/oracle"
	"rancheros/datasources/scaleway"
	"rancheros/datasources/upcloud"
)

// Kinds are the datasources in the order in which they are tried, where nothing
// else decides.
var Kinds = []datasources.Kind{
	azure.Kind,
	scaleway.Kind,
	oracle.Kind,
	upcloud.Kind,
	akamai.Kind,
}
