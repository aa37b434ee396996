package execute

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rancheros/cloudconfig"
)

// absent removes accounts and groups that the config says are not to be. It
// comes before those that are, so that their numbers are free.
func absent(_ context.Context, t *Target, c *cloudconfig.Config) error {
	gone := c.Rancher.Absent
	if len(gone.Users)+len(gone.Groups) == 0 {
		return Skip("rancher.absent names nobody")
	}
	db, err := t.accounts()
	if err != nil {
		return err
	}
	want, _ := t.wanted(c)
	var errs []error
	for i, name := range gone.Users {
		if slices.ContainsFunc(want, func(u cloudconfig.User) bool { return u.Name == name }) {
			errs = append(errs, fmt.Errorf("rancher.absent.users[%d]: users names %s too: leave it out there or here", i, name))
			continue
		}
		errs = append(errs, db.RemoveUser(name))
	}
	for i, name := range gone.Groups {
		if slices.ContainsFunc(c.Groups, func(g cloudconfig.Group) bool { return g.Name == name }) {
			errs = append(errs, fmt.Errorf("rancher.absent.groups[%d]: groups names %s too: leave it out there or here", i, name))
			continue
		}
		errs = append(errs, db.RemoveGroup(name))
	}
	_, err = db.Save(t.Tree)
	return errors.Join(append(errs, err)...)
}
