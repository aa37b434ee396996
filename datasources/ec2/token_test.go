package ec2

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
	"rancheros/datasources/internal/imds"
)

// A server is a metadata service whose tokens end when the machine is restored
// from a snapshot, which is before the nth request.
type server struct {
	mu            sync.Mutex
	asked, tokens int
	restored      int
	// far: the answer to PUT never arrives, for its TTL ends on the way.
	far bool
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r,
			Header: http.Header{"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": {"21600"}}}, nil
	}
	if r.Method == http.MethodPut {
		if s.far {
			s.mu.Unlock()
			<-r.Context().Done()
			s.mu.Lock()
			return nil, r.Context().Err()
		}
		s.tokens++
		return answer(200, strings.Repeat("t", s.tokens))
	}
	s.asked++
	if s.asked == s.restored {
		s.tokens++ // the clone has been given another one: ours is void
	}
	if r.Header.Get("X-aws-ec2-metadata-token") != strings.Repeat("t", s.tokens) {
		return answer(401, "")
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/meta-data/instance-id"):
		return answer(200, "i-1\n")
	case strings.HasSuffix(r.URL.Path, "/meta-data/"):
		return answer(200, "instance-id\nlocal-hostname\n")
	case strings.HasSuffix(r.URL.Path, "/local-hostname"):
		return answer(200, "box")
	}
	return answer(404, "")
}

func awsHost(t *testing.T) *datasources.Host {
	t.Helper()
	h, err := datasources.RecordedHost("testdata/aws")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestATokenThatWasRefusedIsAskedForAnewAndALineBreakIsNoPartOfTheID(t *testing.T) {
	for restored := 1; restored <= 4; restored++ {
		synctest.Test(t, func(t *testing.T) {
			s := &server{restored: restored}
			in, err := Kind.Fetch(t.Context(), dstest.Env(awsHost(t), "", s))
			if err != nil {
				t.Fatalf("restored before request %d: %v", restored, err)
			}
			if in.ID != "i-1" || in.Hostname != "box" || in.UserData != nil {
				t.Errorf("restored before request %d: instance = %+v; user-data that is not there is no error", restored, in)
			}
		})
	}
}

func TestATokenThatNeverArrivesNamesTheHopLimitAndIsNotGoneWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{far: true}
		begin := time.Now()
		_, err := Kind.Fetch(t.Context(), dstest.Env(awsHost(t), "", s))
		if e, ok := errors.AsType[*imds.Error](err); !ok || e.Method != http.MethodPut || !strings.Contains(err.Error(), "hop limit") {
			t.Errorf("Fetch() = %v, want the PUT and the hop limit named", err)
		}
		if s.asked > 0 {
			t.Errorf("asked %d times without a token: on AWS that is what the owner has forbidden", s.asked)
		}
		if took := time.Since(begin); took > 5*time.Minute {
			t.Errorf("took %v", took)
		}
	})
}
