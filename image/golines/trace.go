package golines

import (
	"bufio"
	"bytes"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// A trace has two lines for each call: "main.run({0x1, 0x2})" or "created by
// main.run in goroutine 1", then a tab and "?:0 +0x1d" when the program has no
// lines. A call that the compiler inlined has no offset: it is where the next is.
var (
	called  = regexp.MustCompile(`^(?:created by )?(\S.*?)(?:\([^()]*\)| in goroutine \d+)?$`)
	nowhere = regexp.MustCompile(`^\t\?:0(?: \+0x([0-9a-f]+))?$`)
)

// Resolve copies a trace of a program without lines, and anything around it, and
// puts in the lines of program, which is the same build with its lines. Of calls
// that are inlined in each other it knows the innermost. What it does not find
// it leaves as it is.
func Resolve(w io.Writer, program []byte, trace io.Reader) error {
	funcs, err := symbols(program)
	if err != nil {
		return err
	}
	in := bufio.NewScanner(trace)
	in.Buffer(nil, 1<<20)
	out := bufio.NewWriter(w)
	var held []string // lines from the innermost call on, which the next offset tells
	for before := ""; in.Scan(); before = in.Text() {
		m := nowhere.FindStringSubmatch(in.Text())
		if m != nil || held != nil {
			held = append(held, in.Text())
		}
		switch {
		case held == nil:
			fmt.Fprintln(out, in.Text())
		case m != nil && m[1] != "":
			if place, ok := find(funcs, before, m[1]); ok {
				held[0] = strings.Replace(held[0], "?:0", place, 1)
			}
			held = flush(out, held)
		case m == nil && strings.HasPrefix(in.Text(), "\t"):
			held = flush(out, held) // no trace
		}
	}
	flush(out, held)
	if err := in.Err(); err != nil {
		return fmt.Errorf("read the trace: %w", err)
	}
	return out.Flush()
}

func flush(w io.Writer, lines []string) []string {
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
	return nil
}

func symbols(program []byte) (*gosym.Table, error) {
	at, size, err := section(program, ".gopclntab")
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	text := f.Section(".text")
	if text == nil {
		return nil, fmt.Errorf("no section .text: not a Go program")
	}
	return gosym.NewTable(nil, gosym.NewLineTable(program[at:at+size], text.Addr))
}

// find is the file and line of the call that a line of the trace names.
func find(funcs *gosym.Table, call, offset string) (string, bool) {
	m := called.FindStringSubmatch(call)
	off, err := strconv.ParseUint(offset, 16, 32)
	if m == nil || err != nil || off == 0 {
		return "", false
	}
	f := funcs.LookupFunc(m[1])
	if f == nil {
		return "", false
	}
	// The offset is where the call returns to: the call is before that.
	file, line, _ := funcs.PCToLine(f.Entry + off - 1)
	return fmt.Sprintf("%s:%d", file, line), line > 0
}
