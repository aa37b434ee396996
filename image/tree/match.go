package tree

import (
	"path"
	"strings"
)

// Match reports whether name, or a directory that it lies in, matches one of
// the patterns of path.Match. So "usr/share/man" stands for all below it.
func Match(patterns []string, name string) bool {
	for _, p := range patterns {
		n := strings.Count(p, "/")
		head := prefix(name, n+1)
		if head == "" {
			continue
		}
		if ok, err := path.Match(p, head); err == nil && ok {
			return true
		}
	}
	return false
}

// prefix returns the first n elements of name, "" if it has fewer.
func prefix(name string, n int) string {
	i := 0
	for range n {
		if i > 0 {
			i++
		}
		j := strings.IndexByte(name[min(i, len(name)):], '/')
		if j < 0 {
			if strings.Count(name, "/")+1 < n {
				return ""
			}
			return name
		}
		i += j
	}
	return name[:i]
}
