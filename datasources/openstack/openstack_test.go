package openstack_test

import (
	"testing"

	"rancheros/datasources/dstest"
	"rancheros/datasources/openstack"
)

func Test(t *testing.T) { dstest.Run(t, openstack.Kind) }
