package hyperv

import (
	"testing"

	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, Kind) }
