package boot

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rancheros/init/step"
	"rancheros/paths"
)

// setClock moves a clock forward that stands before this OS was made: a machine
// without a battery wakes in 1970, where no certificate is valid yet and no
// server of time is reached by a secure name. NTP says the rest later.
func setClock(_ context.Context, m *machine) error {
	made, err := os.Stat(paths.OSConfig)
	if err != nil {
		return err
	}
	floor := made.ModTime()
	if time.Now().After(floor) {
		return step.Skip("the clock is later than this OS")
	}
	tv := unix.NsecToTimeval(floor.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock to %s: %w", floor.Format(time.DateOnly), err)
	}
	m.log.Warn("the clock was set", "to", floor.UTC().Format(time.RFC3339), "why", "it was before this OS was made")
	return nil
}
