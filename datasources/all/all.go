// Package all lists the datasources.
package all

import "rancheros/datasources"

// Kinds are the datasources in the order in which they are tried, where nothing
// else decides.
var Kinds = []datasources.Kind{}
