package execute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"rancheros/cloudconfig"
	"rancheros/cloudinit/tree"
)

// A place is a directory or symbolic link of the config.
type place struct {
	path  string
	apply func() error
}

// places makes directories and symbolic links from the top down, so that one
// may lie in another. Files come after them: they may lie in either.
func places(_ context.Context, t *Target, c *cloudconfig.Config) error {
	var all []place
	for i, d := range c.Rancher.Directories {
		all = append(all, place{d.Path, func() error { return named("directories", i, d.Path, t.directory(d)) }})
	}
	for i, l := range c.Rancher.Links {
		if !l.Hard {
			all = append(all, place{l.Path, func() error { return named("links", i, l.Path, t.link(l)) }})
		}
	}
	if len(all) == 0 {
		return Skip("rancher.directories and rancher.links name none")
	}
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(depth(a.path), depth(b.path)) })
	var errs []error
	for _, p := range all {
		errs = append(errs, p.apply())
	}
	return errors.Join(errs...)
}

// hardLinks makes those whose targets are files that had to be written first.
func hardLinks(_ context.Context, t *Target, c *cloudconfig.Config) error {
	var errs []error
	n := 0
	for i, l := range c.Rancher.Links {
		if l.Hard {
			n++
			errs = append(errs, named("links", i, l.Path, t.link(l)))
		}
	}
	if n == 0 {
		return Skip("rancher.links names no hard one")
	}
	return errors.Join(errs...)
}

func named(list string, i int, p string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("rancher.%s[%d] %s: %w", list, i, p, err)
}

func depth(p string) int { return strings.Count(path.Clean(p), "/") }

func checkPlace(what, p string) error {
	if !path.IsAbs(p) || strings.ContainsRune(p, 0) {
		return fmt.Errorf("%s must begin with a slash", what)
	}
	return nil
}

func (t *Target) directory(d cloudconfig.Directory) error {
	if err := checkPlace("the path", d.Path); err != nil {
		return err
	}
	perm := tree.Perm{Mode: 0o755}
	have, err := t.Tree.Lstat(d.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case have.Kind != tree.Dir && !d.Overwrite:
		return inTheWay(have)
	case have.Kind != tree.Dir:
		if _, err := t.Tree.Remove(d.Path); err != nil {
			return err
		}
	default:
		emptied, err := t.empty(d)
		if err != nil {
			return err
		}
		if !emptied {
			perm = tree.Perm{Mode: have.Mode, UID: have.UID, GID: have.GID}
		}
	}
	if d.Permissions != 0 {
		perm.Mode = uint32(d.Permissions)
	}
	if err := t.owner(&perm, d.Owner); err != nil {
		return err
	}
	// Those above it are root's. What is there is a directory by now, no link.
	if _, err := t.Tree.MkdirAll(path.Dir(path.Clean(d.Path)), tree.Perm{Mode: 0o755}); err != nil {
		return err
	}
	if _, err := t.Tree.MkdirAll(d.Path, perm); err != nil {
		return err
	}
	_, err = t.Tree.SetPerm(d.Path, perm)
	return err
}

// empty removes what is in a directory that is to be overwritten, and remembers
// it: what comes there later is not to be lost at the next boot.
func (t *Target) empty(d cloudconfig.Directory) (done bool, err error) {
	at := path.Clean(d.Path)
	switch {
	case !d.Overwrite || t.ledger != nil && t.ledger.Emptied[at]:
		return false, nil
	case at == "/":
		return false, errors.New("overwrite: the root of the machine is not emptied")
	case t.ledger == nil && t.Doubt:
		return false, fmt.Errorf("overwrite: it is not emptied: %s cannot be read, so nobody knows whether it has been", ledgerFile)
	}
	if err := t.Tree.Empty(at); err != nil {
		return false, err
	}
	if t.ledger == nil {
		return true, nil
	}
	t.ledger.Emptied[at] = true
	return true, t.saveLedger()
}

// owner sets what text says of an owner; the empty text says nothing.
func (t *Target) owner(perm *tree.Perm, text string) error {
	if text == "" {
		return nil
	}
	db, err := t.accounts()
	if err != nil {
		return err
	}
	perm.UID, perm.GID, err = db.Owner(text)
	return err
}

func inTheWay(n tree.Node) error {
	return fmt.Errorf("there is a %s already; overwrite: true replaces it", n.Kind)
}

func (t *Target) link(l cloudconfig.Link) error {
	if err := checkLink(l); err != nil {
		return err
	}
	have, err := t.Tree.Lstat(l.Path)
	if errors.Is(err, fs.ErrNotExist) && l.Absent {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return t.makeLink(l, false)
	}
	if err != nil {
		return err
	}
	right, err := t.leads(l, have)
	switch {
	case err != nil || l.Absent && !right:
		return err
	case l.Absent:
		_, err := t.Tree.Remove(l.Path)
		return err
	case right && !l.Hard:
		l.Target = have.Link // the same in other words
	case right:
	case !l.Overwrite && !t.madeIt(l.Path):
		return inTheWay(have)
	case have.Kind != tree.File && have.Kind != tree.Link:
		if err := t.Tree.RemoveAll(l.Path); err != nil {
			return err
		}
	}
	return t.makeLink(l, true)
}

// makeLink makes a link in place of a file or link; there says whether one was.
func (t *Target) makeLink(l cloudconfig.Link, there bool) error {
	var perm tree.Perm
	err := t.owner(&perm, l.Owner)
	if err != nil {
		return err
	}
	if l.Hard {
		_, err = t.Tree.Hardlink(l.Path, l.Target)
	} else {
		_, err = t.Tree.Symlink(l.Path, l.Target, perm)
	}
	if err != nil {
		return err
	}
	return t.ownsLink(l.Path, there)
}

func checkLink(l cloudconfig.Link) error {
	switch {
	case l.Target == "" || strings.ContainsRune(l.Target, 0):
		return errors.New("a link needs a target")
	case path.Clean(l.Path) == "/":
		return errors.New("the path is the root of the machine")
	case l.Hard && l.Owner != "":
		return errors.New("a hard link has its target's owner: leave out the owner, or the hard")
	case l.Hard:
		if err := checkPlace("the target of a hard link", l.Target); err != nil {
			return err
		}
	}
	return checkPlace("the path", l.Path)
}

// leads says whether what is there is that link.
func (t *Target) leads(l cloudconfig.Link, have tree.Node) (bool, error) {
	if l.Hard {
		return t.Tree.SameFile(l.Path, l.Target)
	}
	return have.Kind == tree.Link && path.Clean(have.Link) == path.Clean(l.Target), nil
}
