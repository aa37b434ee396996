package yamlerr

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxGlued is how many glued comments are read: for each the document is read
// once more.
const maxGlued = 20

// Read reads the first document of data, and the second one if there is any.
// The error is io.EOF if there is none at all.
//
// The library refuses a comment that is glued to a bracket or a quote, as in
// `["a"]# why`, which cloud-init reads; here it is read too.
func Read(data []byte) (first, second *yaml.Node, err error) {
	for range maxGlued {
		first, second, err = read(data)
		at := glued(data, err)
		if at < 0 {
			break
		}
		data = slices.Insert(slices.Clone(data), at, ' ')
	}
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		place(e, data)
	}
	return first, second, err
}

// place says where to look: the library knows no place of what is no text, and
// only the end of the document of what was never closed.
func place(e *yaml.LoadError, data []byte) {
	if e.Mark.Line == 0 {
		e.Mark.Line, e.Mark.Column = unreadable(data)
	}
	lines := 1 + bytes.Count(bytes.TrimRight(data, "\r\n\t "), []byte("\n"))
	if what := open[e.ContextMsg]; what != "" && e.Mark.Line > lines {
		e.Mark, e.ContextMsg = e.ContextMark, ""
		e.Message = what + " that begins here is not closed"
	}
}

func read(data []byte) (first, second *yaml.Node, err error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var docs [2]yaml.Node
	if err := d.Decode(&docs[0]); err != nil {
		return nil, nil, err
	}
	if err := d.Decode(&docs[1]); errors.Is(err, io.EOF) {
		return &docs[0], nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	return &docs[0], &docs[1], nil
}

// glued is where the comment starts that err is about, or -1.
func glued(data []byte, err error) int {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok || e.Message != "found a comment without preceding whitespace" || e.ContextMsg != "" {
		return -1
	}
	at := 0
	for range e.Mark.Line - 1 {
		at += 1 + bytes.IndexByte(data[at:], '\n')
	}
	for range e.Mark.Column - 1 {
		_, n := utf8.DecodeRune(data[at:])
		at += n
	}
	if at >= len(data) || data[at] != '#' {
		return -1
	}
	return at
}

// unreadable is the place of the first character that no document may have, or
// 0, 0.
func unreadable(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == '\n':
			line, column = line+1, 0
		case r < ' ' && r != '\t' && r != '\r', r == utf8.RuneError && n == 1, r == 0xfffe, r == 0xffff:
			return line, column
		}
		data = data[n:]
		column++
	}
	return 0, 0
}
