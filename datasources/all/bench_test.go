package all_test

import (
	"testing"

	"rancheros/datasources"
	"rancheros/datasources/all"
)

// BenchmarkDetect is what every boot pays to find out where it is.
func BenchmarkDetect(b *testing.B) {
	kinds := all.Kinds()
	for b.Loop() {
		if _, err := datasources.Choose(datasources.ThisHost(), kinds, nil); err != nil {
			b.Fatal(err)
		}
	}
}
