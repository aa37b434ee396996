package ignition

import "fmt"

// passwd takes over users and groups.
func (im *Import) passwd(c config) {
	for i, u := range c.Passwd.Users {
		if u.Name == "" {
			im.problem(fmt.Sprintf("$.passwd.users.%d", i), "the user has no name and is left out")
			continue
		}
		next := User{
			Name: u.Name, Remove: u.ShouldExist != nil && !*u.ShouldExist, UID: u.UID, Gecos: str(u.Gecos), HomeDir: str(u.HomeDir),
			NoCreateHome: is(u.NoCreateHome), NoUserGroup: is(u.NoUserGroup), NoLogInit: is(u.NoLogInit), System: is(u.System),
			PasswordHash: u.PasswordHash, PrimaryGroup: str(u.PrimaryGroup), Shell: str(u.Shell),
		}
		for _, g := range u.Groups {
			next.Groups = append(next.Groups, string(g))
		}
		for _, k := range u.SSHAuthorizedKeys {
			next.SSHAuthorizedKeys = append(next.SSHAuthorizedKeys, string(k))
		}
		im.Users = append(im.Users, next)
	}
	for i, g := range c.Passwd.Groups {
		if g.Name == "" {
			im.problem(fmt.Sprintf("$.passwd.groups.%d", i), "the group has no name and is left out")
			continue
		}
		im.Groups = append(im.Groups, Group{
			Name: g.Name, Remove: g.ShouldExist != nil && !*g.ShouldExist, GID: g.Gid, PasswordHash: g.PasswordHash, System: is(g.System),
		})
	}
}
