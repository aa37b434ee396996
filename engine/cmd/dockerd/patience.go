package main

import (
	"time"

	"github.com/containerd/containerd/v2/pkg/timeout"
)

// patience is how long the containerd inside waits for what a shim does. Its own
// few seconds are too short for a starved machine when a shim of many containers
// dies: a cleaning up that is cut off leaves a folder behind, and the container
// cannot start again ("mkdir ...: file exists"). The names are those of
// containerd's configuration: https://github.com/containerd/containerd/blob/main/docs/ops.md
var patience = map[string]time.Duration{
	"io.containerd.timeout.shim.cleanup":  2 * time.Minute,
	"io.containerd.timeout.shim.load":     time.Minute,
	"io.containerd.timeout.shim.shutdown": 30 * time.Second,
	"io.containerd.timeout.task.state":    30 * time.Second,
}

func bePatient() {
	for name, d := range patience {
		timeout.Set(name, d)
	}
}
