package services

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// A fakeDocker is a Docker in memory. It refuses what the real one refuses.
type fakeDocker struct {
	mu         sync.Mutex
	images     map[string]string // identity by name
	remote     map[string]string // what can be pulled
	containers map[string]*fakeContainer
	exits      map[string]int // exit codes of services that end
	log        []string
	next       int
	failStart  map[string]int // by service: how often start fails
}

type fakeContainer struct {
	Container
	service *Service
}

func newFake(images ...string) *fakeDocker {
	f := &fakeDocker{
		images: map[string]string{}, remote: map[string]string{}, containers: map[string]*fakeContainer{},
		exits: map[string]int{}, failStart: map[string]int{},
	}
	for _, name := range images {
		f.images[name] = "sha256:" + name
	}
	return f
}

func (f *fakeDocker) note(format string, a ...any) { f.log = append(f.log, fmt.Sprintf(format, a...)) }

func (f *fakeDocker) byName(name string) *fakeContainer {
	for _, c := range f.containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (f *fakeDocker) get(id string) (*fakeContainer, error) {
	if c, ok := f.containers[id]; ok {
		return c, nil
	}
	return nil, fmt.Errorf("no such container: %s", id)
}

func (f *fakeDocker) Containers(context.Context) ([]Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Container
	for _, c := range f.containers {
		out = append(out, c.Container)
	}
	return out, nil
}

func (f *fakeDocker) ImageID(_ context.Context, name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.images[name], nil
}

func (f *fakeDocker) Pull(_ context.Context, image string, auth *RegistryAuth) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("pull %s", image)
	id, ok := f.remote[image]
	if !ok {
		return fmt.Errorf("pull %s: not found", image)
	}
	f.images[image] = id
	return nil
}

func (f *fakeDocker) Create(_ context.Context, name string, s *Service) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byName(name) != nil {
		return "", fmt.Errorf("create container %s: the name is already in use", name)
	}
	image, ok := f.images[s.Image()]
	if !ok {
		return "", fmt.Errorf("create container %s: no such image: %s", name, s.Image())
	}
	if s.Host.UTSMode.IsHost() && s.Config.Hostname != "" {
		return "", fmt.Errorf("create container %s: conflicting options: hostname and the UTS mode", name)
	}
	f.next++
	id := fmt.Sprintf("id%d", f.next)
	f.containers[id] = &fakeContainer{Container{ID: id, Name: name, Image: image, Labels: s.Config.Labels}, s}
	f.note("create %s", name)
	return id, nil
}

func (f *fakeDocker) Put(_ context.Context, id string, archive io.Reader) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(archive)
	f.note("put %s %s", c.Name, text)
	return err
}

func (f *fakeDocker) Start(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err != nil {
		return err
	}
	if f.failStart[c.Name] > 0 {
		f.failStart[c.Name]--
		return fmt.Errorf("cannot start %s", c.Name)
	}
	c.Running = true
	f.note("start %s", c.Name)
	return nil
}

func (f *fakeDocker) Stop(_ context.Context, id string, _ time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err == nil {
		c.Running = false
		f.note("stop %s", c.Name)
	}
	return err
}

func (f *fakeDocker) Kill(_ context.Context, id, signal string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err == nil && !c.Running {
		err = fmt.Errorf("container %s is not running", c.Name)
	}
	return err
}

func (f *fakeDocker) Remove(_ context.Context, id string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c, ok := f.containers[id]; ok {
		f.note("remove %s", c.Name)
		delete(f.containers, id)
	}
	return nil
}

func (f *fakeDocker) Rename(_ context.Context, id, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err != nil {
		return err
	}
	if f.byName(name) != nil {
		return fmt.Errorf("rename: %s is already in use", name)
	}
	f.note("rename %s %s", c.Name, name)
	c.Name = name
	return nil
}

func (f *fakeDocker) Wait(ctx context.Context, id string) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(id)
	if err != nil {
		return 0, err
	}
	code, ends := f.exits[c.Name]
	if !ends {
		return 0, fmt.Errorf("%s would run for ever", c.Name)
	}
	c.Running = false
	f.note("end %s", c.Name)
	return code, nil
}

func (f *fakeDocker) Logs(context.Context, string, int, bool, io.Writer, io.Writer) error { return nil }
