//go:build !amd64

package datasources

func cpuVendor() string { return "" }
