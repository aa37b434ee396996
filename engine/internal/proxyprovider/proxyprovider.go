// Package proxyprovider takes the place of BuildKit's package of that name when
// the engine is built. See engine.mk and docs/adr/032-parts-of-modules.md.
//
// Theirs makes an RSA key at every start of dockerd, for a proxy that watches
// what a build fetches and that `docker build` never asks for. That is four
// tenths of what the engine's start costs. The package may be left out: it
// does not exist on other systems than Linux either.
package proxyprovider

import (
	"errors"

	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/network"
)

// Opt is what callers fill in; nothing is done with it.
type Opt struct {
	Root                 string
	PoolSize             int
	EgressProviders      map[pb.NetMode]network.Provider
	OwnedEgressProviders []network.Provider
}

// Supported tells callers not to ask for a provider.
func Supported() bool { return false }

// New is for callers who ask all the same.
func New(Opt) (network.ProxyProvider, error) {
	return nil, errors.New("the proxy for builds is not in this engine")
}
