// Gen writes what is generated from the types of config and their comments:
// the JSON schema and docs/config.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	top := flag.String("top", ".", "top of the repository")
	flag.Parse()
	if err := generate(*top); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// outputs are the generated files and what makes them.
var outputs = []struct {
	file string
	make func(top string) ([]byte, error)
}{
	{"cloudconfig/schema/schema.json", schemaJSON},
	{"docs/config.md", reference},
}

func generate(top string) error {
	for _, o := range outputs {
		content, err := o.make(top)
		if err != nil {
			return fmt.Errorf("%s: %w", o.file, err)
		}
		file := filepath.Join(top, o.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
