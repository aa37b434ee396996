package cloudconfig

// A Directory is one to be there. What write_files puts into it comes after it.
type Directory struct {
	// Path on the machine. Missing directories above it are made, root's, 0755.
	Path string `yaml:"path"`
	// Permissions in octal. Default: those it has, 0755 for a new one.
	Permissions Mode `yaml:"permissions"`
	// Owner is `user:group`. Default: the one it has, root:root for a new one.
	Owner string `yaml:"owner"`
	// Overwrite removes what else is there, and once per instance what is in it.
	// Default false: a file or link in its place is an error.
	Overwrite bool `yaml:"overwrite"`
}

// A Link is a symbolic or hard link to be there.
type Link struct {
	// Path on the machine. Missing directories are made.
	Path string `yaml:"path"`
	// Target is what it leads to; of a hard link, a file by its whole path.
	Target string `yaml:"target"`
	// Hard makes a hard link, when all files of write_files that are not deferred
	// are there. Symbolic links come before those files.
	Hard bool `yaml:"hard"`
	// Owner of a symbolic link is `user:group`. Default root:root. A hard link has
	// its target's.
	Owner string `yaml:"owner"`
	// Overwrite removes what else is there. Default false: it is an error, unless
	// the config made it.
	Overwrite bool `yaml:"overwrite"`
	// Absent removes the link if it is there, and nothing else.
	Absent bool `yaml:"absent"`
}

// Absent are accounts that are not to be.
type Absent struct {
	// Users are removed, each with the group of its own name if nobody else is in
	// it. Their homes stay.
	Users []string `yaml:"users"`
	// Groups are removed.
	Groups []string `yaml:"groups"`
}
