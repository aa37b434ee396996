package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
)

// Docker is what we need of an engine.
type Docker interface {
	// Containers lists all, running or not.
	Containers(ctx context.Context) ([]Container, error)
	// ImageID is the identity behind an image's name; "" when it is not there.
	ImageID(ctx context.Context, name string) (string, error)
	Pull(ctx context.Context, image string, auth *RegistryAuth) error
	// Create makes the container name of s. Docker refuses a name that is taken,
	// and an image that is not there.
	Create(ctx context.Context, name string, s *Service) (id string, err error)
	// Put unpacks an archive at the root of a container that does not run.
	Put(ctx context.Context, id string, archive io.Reader) error
	Start(ctx context.Context, id string) error
	// Stop asks the container to end, and kills it after the timeout; a negative
	// one means what its definition says.
	Stop(ctx context.Context, id string, timeout time.Duration) error
	Kill(ctx context.Context, id, signal string) error
	// Remove takes a container away, running or not.
	Remove(ctx context.Context, id string, volumes bool) error
	Rename(ctx context.Context, id, name string) error
	// Wait waits for the container's end and returns its exit code.
	Wait(ctx context.Context, id string) (int, error)
	// Logs copies what the container has written: the last lines, or all of it
	// when lines is negative.
	Logs(ctx context.Context, id string, lines int, follow bool, stdout, stderr io.Writer) error
}

// A Container is one that is there.
type Container struct {
	ID, Name string
	// Image is the identity of the image that it was made of.
	Image   string
	Labels  map[string]string
	Running bool
	// Volumes are the names of the anonymous volumes by the folder that they are
	// mounted at.
	Volumes map[string]string
	// Status is for people: Up 3 minutes, Exited (1) 2 hours ago.
	Status string
}

// An Engine is a Docker behind a socket. It implements Docker.
type Engine struct{ api *client.Client }

var _ Docker = (*Engine)(nil)

// Connect returns the engine behind a socket of this machine. No call is made.
func Connect(socket string) (*Engine, error) {
	api, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		return nil, fmt.Errorf("docker at %s: %w", socket, err)
	}
	return &Engine{api}, nil
}

// Close ends the connections.
func (e *Engine) Close() error { return e.api.Close() }

// Client is the API itself, for what Docker does not offer.
func (e *Engine) Client() *client.Client { return e.api }

// Ready waits until the engine answers, for at most timeout.
func (e *Engine) Ready(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := e.api.Ping(ctx, client.PingOptions{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("docker at %s does not answer after %s: %w", e.api.DaemonHost(), timeout, err)
		case <-tick.C:
		}
	}
}

// Containers implements Docker.
func (e *Engine) Containers(ctx context.Context) ([]Container, error) {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var out []Container
	for _, c := range list.Items {
		name := c.ID
		for _, n := range c.Names {
			if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") { // others are links
				name = n
			}
		}
		out = append(out, Container{
			ID: c.ID, Name: name, Image: c.ImageID, Labels: c.Labels,
			Running: c.State == "running" || c.State == "restarting", Status: c.Status,
			Volumes: anonymous(c.Mounts),
		})
	}
	return out, nil
}

// isAnonymous says whether Docker made up the name of a volume.
func isAnonymous(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

func anonymous(mounts []container.MountPoint) map[string]string {
	out := map[string]string{}
	for _, m := range mounts {
		if m.Type == mount.TypeVolume && isAnonymous(m.Name) {
			out[m.Destination] = m.Name
		}
	}
	return out
}

// ImageID implements Docker.
func (e *Engine) ImageID(ctx context.Context, name string) (string, error) {
	img, err := e.api.ImageInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("inspect image %s: %w", name, err)
	}
	return img.ID, nil
}

// Pull implements Docker.
func (e *Engine) Pull(ctx context.Context, image string, auth *RegistryAuth) error {
	header, err := auth.encode()
	if err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	stream, err := e.api.ImagePull(ctx, image, client.ImagePullOptions{RegistryAuth: header})
	if err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	defer stream.Close()
	if err := stream.Wait(ctx); err != nil {
		return fmt.Errorf("pull %s: %w", image, err)
	}
	return nil
}

// Create implements Docker.
func (e *Engine) Create(ctx context.Context, name string, s *Service) (string, error) {
	made, err := e.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Name: name, Config: s.Config, HostConfig: s.Host, NetworkingConfig: s.Network,
	})
	if err != nil {
		return "", fmt.Errorf("create container %s: %w", name, err)
	}
	return made.ID, nil
}

// Put implements Docker.
func (e *Engine) Put(ctx context.Context, id string, archive io.Reader) error {
	_, err := e.api.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: archive, CopyUIDGID: true})
	return err
}

// Start implements Docker.
func (e *Engine) Start(ctx context.Context, id string) error {
	_, err := e.api.ContainerStart(ctx, id, client.ContainerStartOptions{})
	return err
}

// Stop implements Docker.
func (e *Engine) Stop(ctx context.Context, id string, timeout time.Duration) error {
	var opt client.ContainerStopOptions
	if timeout >= 0 {
		seconds := int((timeout + time.Second - 1) / time.Second)
		opt.Timeout = &seconds
	}
	_, err := e.api.ContainerStop(ctx, id, opt)
	return err
}

// Kill implements Docker.
func (e *Engine) Kill(ctx context.Context, id, signal string) error {
	_, err := e.api.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: signal})
	return err
}

// Remove implements Docker.
func (e *Engine) Remove(ctx context.Context, id string, volumes bool) error {
	_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: volumes})
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// Rename implements Docker.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	_, err := e.api.ContainerRename(ctx, id, client.ContainerRenameOptions{NewName: name})
	return err
}

// Wait implements Docker.
func (e *Engine) Wait(ctx context.Context, id string) (int, error) {
	wait := e.api.ContainerWait(ctx, id, client.ContainerWaitOptions{})
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case err := <-wait.Error:
		return 0, err
	case end := <-wait.Result:
		if end.Error != nil {
			return 0, errors.New(end.Error.Message)
		}
		return int(end.StatusCode), nil
	}
}

// Load reads images from an archive as `docker save` makes it, compressed or
// not.
func (e *Engine) Load(ctx context.Context, archive io.Reader) error {
	res, err := e.api.ImageLoad(ctx, archive)
	if err != nil {
		return fmt.Errorf("load images: %w", err)
	}
	defer res.Close()
	d := json.NewDecoder(res)
	for {
		var line struct {
			Error string `json:"error"`
		}
		switch err := d.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("load images: %w", err)
		case line.Error != "":
			return fmt.Errorf("load images: %s", line.Error)
		}
	}
}
