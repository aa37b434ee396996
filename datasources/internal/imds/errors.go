package imds

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
)

// ErrAbsent is what errors.Is finds in the error of a path that the service
// does not have (404). For most paths that means "not set".
var ErrAbsent = errors.New("not there")

// An Error is a request that was not answered well.
type Error struct {
	Method, URL string
	// Status is the code of the answer, 0 if there was none.
	Status int
	// Header is that of the answer, nil if there was none.
	Header http.Header
	// Err is what went wrong where there is no Status, or why there was no
	// further attempt.
	Err error
}

func (e *Error) Error() string {
	switch {
	case e.Status != 0 && e.Err != nil:
		return fmt.Sprintf("%s %s: %d %s, %v", e.Method, Shown(e.URL), e.Status, http.StatusText(e.Status), e.Err)
	case e.Status != 0:
		return fmt.Sprintf("%s %s: %d %s", e.Method, Shown(e.URL), e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s %s: %v", e.Method, Shown(e.URL), e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Is lets errors.Is(err, ErrAbsent) hold for 404.
func (e *Error) Is(target error) bool {
	return target == ErrAbsent && e.Status == http.StatusNotFound
}

// Status is the status code in err, 0 if there is none.
func Status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}
