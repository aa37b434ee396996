package services

// A Verb is what is done to a service.
type Verb string

// What can be done to a service.
const (
	Keep    Verb = "keep"
	Create  Verb = "create"  // there is none
	Replace Verb = "replace" // make a new one, take the old one away
	Start   Verb = "start"   // the one that is there does
)

// An Action is one step from what runs to what should.
type Action struct {
	Verb Verb   `json:"verb"`
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Have is what an engine has.
type Have struct {
	// Containers by name.
	Containers map[string]Container
	// Images are identities by the names that the services use.
	Images map[string]string
}

// A Policy says how Plan treats containers that are there.
type Policy struct {
	// Boot is the first Plan of a boot: a service with rebuild "always" is made
	// anew.
	Boot bool
	// Force makes everything anew, Never nothing.
	Force, Never bool
	// NoStart creates and replaces only.
	NoStart bool
}

// decide says what is to be done for one service.
func decide(have Have, s *Service, policy Policy) Action {
	c, there := have.Containers[s.Name]
	if !there {
		return Action{Create, s.Name, "it is not there"}
	}
	if why := outdated(have, c, s, policy); why != "" {
		return Action{Replace, s.Name, why}
	}
	switch {
	case c.Running:
		return Action{Keep, s.Name, "it runs"}
	case s.CreateOnly:
		return Action{Keep, s.Name, "it is created, and started by something else"}
	case policy.NoStart:
		return Action{Keep, s.Name, "it is there"}
	}
	return Action{Start, s.Name, "it does not run"}
}

// outdated says why c does not do for s, or "".
func outdated(have Have, c Container, s *Service, policy Policy) string {
	image := have.Images[s.Image()]
	switch {
	case policy.Never:
		return ""
	case policy.Force:
		return "it was asked for"
	case c.Labels[labelConsole] != s.Console:
		return "another console is asked for"
	case s.Rebuild == "always" && policy.Boot:
		return "it is made anew at every boot"
	case s.Rebuild == "false":
		return ""
	case c.Labels[labelHash] != s.Hash():
		return "its definition changed"
	case image != "" && c.Image != "" && image != c.Image:
		return "its image changed"
	}
	return ""
}
