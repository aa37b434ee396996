package cmdline_test

import (
	"testing"

	"rancheros/datasources/cmdline"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, cmdline.Kind) }
