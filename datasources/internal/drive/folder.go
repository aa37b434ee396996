package drive

import (
	"io"
	"io/fs"
)

// folder is a folder with the files of a drive.
type folder struct{ fs.FS }

func (f folder) open(name string) (io.Reader, error) { return f.FS.Open(name) }

func (f folder) list(dir string) ([]string, error) {
	if dir == "" {
		dir = "."
	}
	entries, err := fs.ReadDir(f.FS, dir)
	if err != nil {
		return nil, err
	}
	return entryNames(entries), nil
}

func entryNames(entries []fs.DirEntry) []string {
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else {
			names = append(names, e.Name())
		}
	}
	return names
}
