package gce_test

import (
	"testing"

	"rancheros/datasources/dstest"
	"rancheros/datasources/gce"
)

func Test(t *testing.T) { dstest.Run(t, gce.Kind) }
