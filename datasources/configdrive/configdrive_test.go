package configdrive_test

import (
	"testing"

	"rancheros/datasources/configdrive"
	"rancheros/datasources/dstest"
)

func Test(t *testing.T) { dstest.Run(t, configdrive.Kind) }
