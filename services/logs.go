package services

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

// Logs implements Docker.
func (e *Engine) Logs(ctx context.Context, id string, lines int, follow bool, stdout, stderr io.Writer) error {
	tail := "all"
	if lines >= 0 {
		tail = strconv.Itoa(lines)
	}
	c, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	logs, err := e.api.ContainerLogs(ctx, id, client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: tail, Follow: follow,
	})
	if err != nil {
		return fmt.Errorf("logs of %s: %w", id, err)
	}
	defer logs.Close()
	if c.Container.Config != nil && c.Container.Config.Tty { // a terminal has one stream
		_, err = io.Copy(stdout, logs)
	} else {
		_, err = stdcopy.StdCopy(stdout, stderr, logs)
	}
	return err
}
