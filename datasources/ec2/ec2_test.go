package ec2_test

import (
	"testing"

	"rancheros/datasources/dstest"
	"rancheros/datasources/ec2"
)

func Test(t *testing.T) { dstest.Run(t, ec2.Kind) }
