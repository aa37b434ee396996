// Package x509 stands in for zcrypto's, which dockerd could only need to lint
// certificates. See docs/adr/032-parts-of-modules.md.
package x509

import "errors"

// A Certificate that is to be linted. There is none.
type Certificate struct{}

// ParseCertificate fails.
func ParseCertificate([]byte) (*Certificate, error) {
	return nil, errors.New("certificates cannot be linted: this program is built without zcrypto")
}
