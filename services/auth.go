package services

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// A RegistryAuth is who we are to a registry: an entry of
// rancher.registry_auths. It is never to be logged.
type RegistryAuth struct {
	Username, Password string
	// Auth is username:password in base64, of either alphabet.
	Auth          string
	ServerAddress string
	IdentityToken string
	RegistryToken string
}

// String hides everything, so that no log shows it.
func (*RegistryAuth) String() string { return "(secret)" }

// hubAuth is what the Hub's credentials have always been filed under.
const hubAuth = "https://index.docker.io/v1/"

// authFor finds the credentials for an image.
func authFor(auths map[string]RegistryAuth, image string) *RegistryAuth {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil
	}
	domain := reference.Domain(ref)
	candidates := []string{domain, "https://" + domain, "http://" + domain, "https://" + domain + "/", "https://" + domain + "/v1/", "https://" + domain + "/v2/"}
	if domain == "docker.io" {
		candidates = append([]string{hubAuth, "index.docker.io"}, candidates...)
	}
	for _, key := range candidates {
		if a, ok := auths[key]; ok {
			if a.ServerAddress == "" {
				a.ServerAddress = key
			}
			return &a
		}
	}
	return nil
}

// encode makes the header that the engine wants; nothing for no credentials.
func (a *RegistryAuth) encode() (string, error) {
	if a == nil {
		return "", nil
	}
	c := registry.AuthConfig{
		Username: a.Username, Password: a.Password, ServerAddress: a.ServerAddress,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	}
	if a.Auth != "" {
		user, password, err := decodeAuth(a.Auth)
		if err != nil {
			return "", err
		}
		c.Username, c.Password = user, password
	}
	return authconfig.Encode(c)
}

func decodeAuth(s string) (user, password string, err error) {
	s = strings.TrimRight(strings.TrimSpace(s), "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", "", errors.New("registry_auths: auth is not base64")
	}
	user, password, ok := strings.Cut(strings.TrimRight(string(b), "\x00\n"), ":")
	if !ok {
		return "", "", errors.New("registry_auths: auth is not the base64 of username:password")
	}
	return user, password, nil
}
