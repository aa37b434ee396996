package file_test

import (
	"testing"

	"rancheros/datasources/dstest"
	"rancheros/datasources/file"
)

func Test(t *testing.T) { dstest.Run(t, file.Kind) }
