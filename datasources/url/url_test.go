package url_test

import (
	"testing"

	"rancheros/datasources/dstest"
	"rancheros/datasources/url"
)

func Test(t *testing.T) { dstest.Run(t, url.Kind) }
