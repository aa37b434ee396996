package boot

import "testing"

func TestReserveIsTheKernelsOwn(t *testing.T) {
	for _, tt := range []struct{ total, want int }{{512 << 10, 2896}, {1 << 20, 4096}, {16 << 20, 16384}, {1, 128}, {1 << 40, 262144}} {
		if got := minFree(tt.total); got != tt.want {
			t.Errorf("minFree(%d) = %d, want %d", tt.total, got, tt.want)
		}
	}
}
