package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"rancheros/sys/kmsg"
)

// EndedMain is `recovery WHY`, which System Docker becomes when it is process 1
// and has ended: somebody must stay process 1, or the kernel panics.
func EndedMain(ctx context.Context, args []string) int {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "recovery: only process 1 becomes this; boot with rancher.recovery=true for a recovery console")
		return 2
	}
	m := &machine{log: kmsg.Logger(slog.LevelInfo)}
	cause := errors.New(strings.Join(args, " "))
	m.log.Error("nothing is left to run", "err", cause)
	recovery(context.WithoutCancel(ctx), m, cause)
	return 1
}
