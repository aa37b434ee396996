package ec2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"rancheros/datasources"
	"rancheros/datasources/internal/ec2tree"
	"rancheros/datasources/internal/imds"
)

// A client reads one service in one version.
type client struct {
	base, version string
	// ask gets a path below the version.
	ask func(ctx context.Context, version, path string) ([]byte, error)
}

// get returns nil for what is not there.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	b, err := c.ask(ctx, c.version, path)
	if errors.Is(err, imds.ErrAbsent) {
		return nil, nil
	}
	return b, err
}

func (c *client) getter() ec2tree.Get { return c.get }

// connect finds the service and its newest version that we know, which it has
// when it knows the instance's ID.
func connect(ctx context.Context, env datasources.Env, platform string) (*client, string, error) {
	bases := service.Bases
	if env.Endpoint != "" {
		bases = []string{strings.TrimRight(env.Endpoint, "/")}
	}
	var err error
	for _, version := range versions {
		var c *client
		var id []byte
		c, id, err = race(ctx, bases, func(ctx context.Context, base string) (*client, []byte, error) {
			c := open(env, base, platform)
			c.version = version
			id, err := c.ask(ctx, version, "meta-data/instance-id")
			return c, id, err
		})
		if c != nil {
			bases = []string{c.base} // it answered: no other is asked again
		}
		if err == nil && len(strings.TrimSpace(string(id))) == 0 {
			err = fmt.Errorf("%s/%s/meta-data/instance-id is empty", c.base, version)
		}
		if err == nil {
			return c, strings.TrimSpace(string(id)), nil
		}
		if !errors.Is(err, imds.ErrAbsent) {
			return nil, "", err
		}
	}
	return nil, "", err
}

// open makes a client without asking anything. On AWS a token is needed; of
// who copies it is known that they have none; of others we do not know.
func open(env datasources.Env, base, platform string) *client {
	env.Endpoint = base
	switch platform {
	case aws:
		return &client{base: base, ask: withSDK(env, base, awssdk.FalseTernary)}
	case unknown:
		return &client{base: base, ask: withSDK(env, base, awssdk.TrueTernary)}
	}
	plain := service.Open(env)
	return &client{base: base, ask: func(ctx context.Context, version, path string) ([]byte, error) {
		return plain.Get(ctx, "/"+version+"/"+path)
	}}
}

// race asks every base, each a little later than the one before, and takes the
// first that answers, be it with an error status.
func race(ctx context.Context, bases []string, ask func(ctx context.Context, base string) (*client, []byte, error)) (*client, []byte, error) {
	type answer struct {
		c   *client
		b   []byte
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer, len(bases))
	for i, base := range bases {
		go func() {
			select {
			case <-ctx.Done():
				answers <- answer{err: ctx.Err()}
				return
			case <-time.After(time.Duration(i) * imds.Stagger):
			}
			c, b, err := ask(ctx, base)
			answers <- answer{c, b, err}
		}()
	}
	var errs []error
	for range bases {
		a := <-answers
		if a.err == nil || imds.Status(a.err) != 0 {
			return a.c, a.b, a.err
		}
		errs = append(errs, a.err)
	}
	return nil, nil, errors.Join(errs...)
}

// withSDK asks with Amazon's own client, which sees to the token: it asks for
// one, keeps it, and asks again when it is refused. insecure says whether to go
// on without a token where there is none to be had; never on AWS, where that
// means that somebody wants us to.
func withSDK(env datasources.Env, base string, insecure awssdk.Ternary) func(context.Context, string, string) ([]byte, error) {
	h := service.HTTP(env)
	h.Transport = versioned{h.Transport}
	c := sdk.New(sdk.Options{
		Endpoint:              base,
		ClientEnableState:     sdk.ClientEnabled,
		EnableFallback:        insecure,
		HTTPClient:            h,
		DisableDefaultTimeout: true, // ours is the service's deadline
		// Retries happen below. The second attempt is for a token that has run
		// out, as it has in a machine restored from a snapshot.
		Retryer: retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 2 }),
	})
	return func(ctx context.Context, version, path string) ([]byte, error) {
		ctx = context.WithValue(ctx, callKey{}, &call{version: version, insecure: insecure == awssdk.TrueTernary})
		body, err := sdkGet(ctx, c, path)
		if err != nil {
			return nil, explain(ctx, base, version, path, err)
		}
		defer body.Close()
		return io.ReadAll(body)
	}
}

// sdkGet finds the operation for a path.
func sdkGet(ctx context.Context, c *sdk.Client, path string) (io.ReadCloser, error) {
	if rest, ok := strings.CutPrefix(path, "meta-data/"); ok {
		if rest == "" {
			rest = "/"
		}
		out, err := c.GetMetadata(ctx, &sdk.GetMetadataInput{Path: rest})
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	}
	if rest, ok := strings.CutPrefix(path, "dynamic/"); ok {
		out, err := c.GetDynamicData(ctx, &sdk.GetDynamicDataInput{Path: rest})
		if err != nil {
			return nil, err
		}
		return out.Content, nil
	}
	out, err := c.GetUserData(ctx, &sdk.GetUserDataInput{})
	if err != nil {
		return nil, err
	}
	return out.Content, nil
}

// explain finds out what went wrong, which the client's errors do not let see:
// they say neither URL nor status.
func explain(ctx context.Context, base, version, path string, err error) error {
	c := ctx.Value(callKey{}).(*call)
	seen := c.failed
	if seen != nil && c.token != nil && errors.Is(seen.Err, context.DeadlineExceeded) {
		seen.Err = fmt.Errorf("%w; before that %w", seen.Err, c.token)
	}
	if seen == nil {
		return &imds.Error{Method: http.MethodGet, URL: base + "/" + version + "/" + path, Err: err}
	}
	if seen.Status == http.StatusForbidden && seen.Method == http.MethodPut {
		seen.Err = errors.New("the metadata service is switched off for this instance")
	}
	if seen.Status == 0 && seen.Method == http.MethodPut && seen.Err != nil {
		// The answer with the token travels only as many hops as the owner allows.
		seen.Err = fmt.Errorf("%w (in a container: is the hop limit of the instance's metadata options 1?)", seen.Err)
	}
	return seen
}

// A call is one use of Amazon's client; it travels in the context.
type call struct {
	version  string
	insecure bool        // a token that is refused is no failure
	failed   *imds.Error // the first request that failed
	token    error       // why there is no token, where none is needed
}

type callKey struct{}

// versioned puts the wanted version in the place of "latest", which is all that
// Amazon's client knows, and remembers what failed.
type versioned struct{ next http.RoundTripper }

func (v versioned) RoundTrip(r *http.Request) (*http.Response, error) {
	c, _ := r.Context().Value(callKey{}).(*call)
	if c == nil {
		return v.next.RoundTrip(r)
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/latest/")
	if ok && !strings.HasPrefix(rest, "api/") {
		r = r.Clone(r.Context())
		r.URL.Path = "/" + c.version + "/" + rest
	}
	res, err := v.next.RoundTrip(r)
	switch {
	case c.failed != nil:
	case c.insecure && r.Method == http.MethodPut:
		c.token = err
	case err != nil:
		c.failed, ok = errors.AsType[*imds.Error](err)
		if !ok {
			c.failed = &imds.Error{Method: r.Method, URL: r.URL.String(), Err: err}
		}
	case res.StatusCode >= 400 && res.StatusCode != http.StatusUnauthorized:
		c.failed = &imds.Error{Method: r.Method, URL: r.URL.String(), Status: res.StatusCode}
	}
	return res, err
}
