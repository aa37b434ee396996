package state

import "strings"

// SecretKey says whether a key of metadata or the name of its file means a
// secret. What people put into user-data is theirs.
func SecretKey(s string) bool {
	s = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(s))
	if strings.Contains(s, "public") {
		return false
	}
	for _, w := range []string{"userdata", "vendordata", "customdata", "password", "passwd", "adminpass", "secret", "token", "privatekey", "randomseed", "startupscript", "credential"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
