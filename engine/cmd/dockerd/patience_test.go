package main

import (
	"testing"

	_ "github.com/containerd/containerd/v2/core/runtime/v2"
	"github.com/containerd/containerd/v2/pkg/timeout"
	_ "github.com/containerd/containerd/v2/plugins/services/tasks"
)

func TestContainerdKnowsTheTimeoutsThatAreRaised(t *testing.T) {
	for name, d := range patience {
		if own := timeout.Get(name); own == 0 || own >= d {
			t.Errorf("containerd has %s for %s, we set %s", own, name, d)
		}
	}
	bePatient()
	for name, d := range patience {
		if got := timeout.Get(name); got != d {
			t.Errorf("%s is %s, want %s", name, got, d)
		}
	}
}
