package tree

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// context is how many lines around a difference are shown.
	context = 3
	// maxDiffLines bounds the work of Diff: larger files are named, not shown.
	maxDiffLines = 2000
)

// Diff is the change as a unified diff, with a first line that says what
// happens. Contents that are secret, binary or very long are not shown.
func (c Change) Diff() string {
	head := c.String() + "\n"
	if c.Op != Create && c.Op != Replace && c.Op != Remove {
		return head
	}
	switch {
	case c.Secret:
		return head + "  (content not shown: not everybody may read this file)\n"
	case !isText(c.Before) || !isText(c.After):
		return head + fmt.Sprintf("  (binary: %d bytes, then %d)\n", len(c.Before), len(c.After))
	}
	a, b := lines(c.Before), lines(c.After)
	if len(a) > maxDiffLines || len(b) > maxDiffLines {
		return head + fmt.Sprintf("  (long: %d lines, then %d)\n", len(a), len(b))
	}
	return head + hunks(edits(a, b))
}

func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func lines(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
}

// An edit is one line of a diff: ' ', '-' or '+'.
type edit struct {
	sign byte
	text string
}

// edits finds the longest common subsequence by the plain table, after what is
// equal at both ends has been cut off.
func edits(a, b []string) []edit {
	var head, tail []edit
	for len(a) > 0 && len(b) > 0 && trim(a[0]) == trim(b[0]) {
		head = append(head, edit{' ', a[0]})
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && trim(a[len(a)-1]) == trim(b[len(b)-1]) {
		tail = append([]edit{{' ', a[len(a)-1]}}, tail...)
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	common := make([][]int32, len(a)+1)
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if trim(a[i]) == trim(b[j]) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && trim(a[i]) == trim(b[j]):
			head = append(head, edit{' ', a[i]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			head = append(head, edit{'-', a[i]})
			i++
		default:
			head = append(head, edit{'+', b[j]})
			j++
		}
	}
	return append(head, tail...)
}

func trim(s string) string { return strings.TrimSuffix(s, "\n") }

// hunks writes the edits with a little of what stays around them.
func hunks(es []edit) string {
	var out strings.Builder
	near := make([]bool, len(es))
	for i, e := range es {
		if e.sign != ' ' {
			for k := max(0, i-context); k <= min(len(es)-1, i+context); k++ {
				near[k] = true
			}
		}
	}
	gap := false
	for i, e := range es {
		if !near[i] {
			gap = true
			continue
		}
		if gap {
			out.WriteString("  ...\n")
			gap = false
		}
		fmt.Fprintf(&out, "%c %s\n", e.sign, trim(e.text))
	}
	return out.String()
}
