package execute

import (
	"reflect"

	"rancheros/cloudconfig"
)

// overlay is a user with what over says on top: an empty field says nothing,
// keys add up.
func overlay(base, over cloudconfig.User) cloudconfig.User {
	out := base
	keys := append(append([]string(nil), base.SSHAuthorizedKeys...), over.SSHAuthorizedKeys...)
	from, to := reflect.ValueOf(over), reflect.ValueOf(&out).Elem()
	for i := range from.NumField() {
		if !from.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	out.SSHAuthorizedKeys = keys
	return out
}
