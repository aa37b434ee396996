// Package ec2tree reads the tree of small files in which EC2 and those who copy
// it keep metadata.
package ec2tree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// Bounds of a tree. Real ones have some hundred files, four folders deep.
const (
	maxDepth = 12
	maxFiles = 2000
	parallel = 8
)

// A Get returns the content of a path; nil when it is not there.
type Get func(ctx context.Context, path string) ([]byte, error)

// Crawl reads the folder root, which ends in a slash, and all below it, several
// files at once:
//
//   - a name that ends in a slash is a folder
//   - `0=name` is the ssh key `name`, to be found in 0/openssh-key
//   - credentials are left out
//   - a JSON object is read as one, several lines are a list
//
// A name that is listed and yet not there is left out. A root that is not there
// gives nil.
func Crawl(ctx context.Context, get Get, root string) (map[string]any, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &crawl{get: get, slots: make(chan struct{}, parallel), stop: cancel}
	tree := c.folder(ctx, root, 0)
	c.wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return tree, nil
}

type crawl struct {
	get   Get
	slots chan struct{}
	stop  context.CancelCauseFunc
	wg    sync.WaitGroup

	mu    sync.Mutex // guards all maps of the tree, and files
	files int
}

// ask gets one file with one of the slots.
func (c *crawl) ask(ctx context.Context, path string) []byte {
	c.mu.Lock()
	c.files++
	many := c.files > maxFiles
	c.mu.Unlock()
	if many {
		c.stop(fmt.Errorf("metadata tree has more than %d files", maxFiles))
	}
	select {
	case <-ctx.Done():
		return nil
	case c.slots <- struct{}{}:
	}
	defer func() { <-c.slots }()
	b, err := c.get(ctx, path)
	if err != nil {
		c.stop(err)
		return nil
	}
	return b
}

func (c *crawl) folder(ctx context.Context, path string, depth int) map[string]any {
	if depth > maxDepth {
		c.stop(errors.New("metadata tree is deeper than " + strconv.Itoa(maxDepth) + " folders"))
		return nil
	}
	list := c.ask(ctx, path)
	if list == nil {
		return nil
	}
	into := map[string]any{}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.Contains(line, "..") || strings.HasPrefix(line, "/") {
			continue
		}
		c.wg.Go(func() { c.entry(ctx, into, path, line, depth) })
	}
	return into
}

func (c *crawl) entry(ctx context.Context, into map[string]any, path, line string, depth int) {
	name, file := line, line
	if dir, ok := strings.CutSuffix(line, "/"); ok {
		if dir == "security-credentials" {
			return
		}
		if sub := c.folder(ctx, path+line, depth+1); sub != nil {
			c.set(into, dir, sub)
		}
		return
	}
	if number, key, ok := strings.Cut(line, "="); ok {
		if _, err := strconv.Atoi(number); err == nil {
			name, file = key, number+"/openssh-key"
		}
	}
	if b := c.ask(ctx, path+file); b != nil {
		c.set(into, name, leaf(b))
	}
}

// set puts a value in its place. A folder goes before a file of the same name.
func (c *crawl) set(into map[string]any, name string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, folder := into[name].(map[string]any); !folder {
		into[name] = value
	}
}

// leaf is the value of a file.
func leaf(b []byte) any {
	if !utf8.Valid(b) {
		return b
	}
	s := string(b)
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") {
		var v map[string]any
		if json.Unmarshal(b, &v) == nil {
			return v
		}
	}
	if !strings.Contains(s, "\n") {
		return s
	}
	var lines []any
	for line := range strings.Lines(s) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines
}
