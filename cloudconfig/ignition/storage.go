package ignition

import (
	"encoding/base64"
	"fmt"

	"github.com/coreos/ignition/v2/config/v3_6_experimental/types"
)

func dataURL(s string) string {
	return "data:;base64," + base64.StdEncoding.EncodeToString([]byte(s))
}

// storage takes over directories, files and links, with all content fetched.
func (im *Import) storage(l *loader, c config) error {
	for _, d := range c.Storage.Directories {
		im.Directories = append(im.Directories, Directory{nodeOf(d.Node), modeOf(d.Mode)})
	}
	for i, f := range c.Storage.Files {
		next := File{Node: nodeOf(f.Node), Mode: modeOf(f.Mode)}
		if f.Contents.Source != nil {
			data, err := l.resource(f.Contents)
			if err != nil {
				return fmt.Errorf("storage.files.%d (%s): %w", i, f.Path, err)
			}
			if data == nil {
				data = []byte{}
			}
			next.Contents = &data
		}
		for _, a := range f.Append {
			data, err := l.resource(a)
			if err != nil {
				return fmt.Errorf("storage.files.%d (%s): append: %w", i, f.Path, err)
			}
			next.Append = append(next.Append, data)
		}
		im.Files = append(im.Files, next)
	}
	for _, n := range c.Storage.Links {
		im.Links = append(im.Links, Link{nodeOf(n.Node), str(n.Target), is(n.Hard)})
	}
	return nil
}

func nodeOf(n types.Node) Node {
	out := Node{Path: n.Path, Overwrite: n.Overwrite}
	if n.User.ID != nil || str(n.User.Name) != "" {
		out.User = &Owner{n.User.ID, str(n.User.Name)}
	}
	if n.Group.ID != nil || str(n.Group.Name) != "" {
		out.Group = &Owner{n.Group.ID, str(n.Group.Name)}
	}
	return out
}

func modeOf(m *int) *uint32 {
	if m == nil {
		return nil
	}
	v := uint32(*m) & 0o7777
	return &v
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func is(b *bool) bool { return b != nil && *b }
