package wire

import (
	"context"
	"errors"
	"strings"

	"rancheros/datasources/internal/imds"
)

// Password asks CloudStack's password server for the one password that it has
// for this machine, and tells it that it may forget it. "" means that there is
// none.
//
// https://docs.cloudstack.apache.org/en/latest/adminguide/templates/_password.html
func Password(ctx context.Context, c *imds.Client, path string) (string, error) {
	const header = "DomU_Request"
	res, err := c.Do(ctx, imds.Request{Path: path, Header: map[string]string{header: "send_my_password"}})
	if errors.Is(err, imds.ErrAbsent) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	pw := strings.TrimSpace(string(res.Body))
	switch {
	case pw == "", pw == "saved_password", pw == "bad_request":
		return "", nil
	case strings.ContainsAny(pw, "\r\n"): // some page, not a password
		return "", nil
	}
	if _, err := c.Do(ctx, imds.Request{Path: path, Header: map[string]string{header: "saved_password"}}); err != nil {
		return pw, err
	}
	return pw, nil
}
