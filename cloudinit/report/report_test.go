package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/cloudconfig"
	"rancheros/sys/kvp"
)

// server answers requests in memory.
type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answer(status int, date string) *http.Response {
	res := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	if date != "" {
		res.Header.Set("Date", date)
	}
	return res
}

type closer struct{ bytes.Buffer }

func (*closer) Close() error { return nil }

func edges(s server) (Edges, *bytes.Buffer) {
	var said bytes.Buffer
	return Edges{Live: true, HTTP: &http.Client{Transport: s}, Now: time.Now, Log: slog.New(slog.NewTextHandler(&said, nil))}, &said
}

func TestTheLogIsThereByItselfAndCanBeSwitchedOff(t *testing.T) {
	for _, row := range []struct {
		name string
		cfg  map[string]cloudconfig.Reporter
		want string
	}{
		{"nothing said", nil, "ros[DEBUG]: start: final: running things\n"},
		{"level", map[string]cloudconfig.Reporter{Default: {Type: "log", Level: "INFO"}}, "ros[INFO]: start: final: running things\n"},
		{"off", map[string]cloudconfig.Reporter{Default: {Type: "none"}}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			var file closer
			r, err := Open(t.Context(), row.cfg, Edges{Now: time.Now, Log: slog.New(slog.DiscardHandler),
				OpenLog: func(string) (io.WriteCloser, error) { return &file, nil }})
			if err != nil {
				t.Fatal(err)
			}
			r.Start("final", "running\nthings")
			r.Close(t.Context())
			if got := file.String(); !strings.HasSuffix(got, row.want) || (row.want == "") != (got == "") {
				t.Errorf("log = %q, want it to end with %q", got, row.want)
			}
		})
	}
}

func TestAWebhookGetsUpstreamsEventsInOrderAndSigned(t *testing.T) {
	var got []string
	e, _ := edges(func(r *http.Request) (*http.Response, error) {
		var doc map[string]any
		if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
			t.Error(err)
		}
		if auth := r.Header.Get("Authorization"); !strings.Contains(auth, `oauth_consumer_key="ck"`) || !strings.Contains(auth, `oauth_signature="%26ts"`) {
			t.Errorf("Authorization = %s", auth)
		}
		if doc["origin"] != "cloudinit" || doc["timestamp"].(float64) < 1e9 {
			t.Errorf("event = %v", doc)
		}
		line := doc["event_type"].(string) + " " + doc["name"].(string)
		if result, ok := doc["result"]; ok {
			line += " " + result.(string)
		}
		got = append(got, line)
		return answer(200, ""), nil
	})
	r, err := Open(t.Context(), map[string]cloudconfig.Reporter{"maas": {Type: "webhook", Endpoint: "http://192.0.2.1/status",
		ConsumerKey: "ck", TokenKey: "tk", TokenSecret: "ts"}}, e)
	if err != nil {
		t.Fatal(err)
	}
	r.Start("modules-final", "running modules for final")
	r.Finish("modules-final", "running modules for final", Fail)
	r.Close(t.Context())
	if want := "start modules-final|finish modules-final FAIL"; strings.Join(got, "|") != want {
		t.Errorf("told %q, want %s", got, want)
	}
}

func TestAServerThatRefusesOurClockIsAskedByItsOwn(t *testing.T) {
	ahead := 48 * time.Hour
	asked := 0
	e, said := edges(func(r *http.Request) (*http.Response, error) {
		asked++
		if asked == 1 {
			return answer(401, time.Now().Add(ahead).UTC().Format(http.TimeFormat)), nil
		}
		return answer(200, ""), nil
	})
	r, err := Open(t.Context(), map[string]cloudconfig.Reporter{"maas": {Type: "webhook", Endpoint: "http://192.0.2.1/", TokenKey: "t"}}, e)
	if err != nil {
		t.Fatal(err)
	}
	r.Start("a", "b")
	r.Close(t.Context())
	if asked != 2 || said.Len() > 0 {
		t.Errorf("%d requests, log %s, want a second one that is taken", asked, said)
	}
}

func TestADeadServerHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, said := edges(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		r, err := Open(t.Context(), map[string]cloudconfig.Reporter{"x": {Type: "webhook", Endpoint: "http://user:hunter2@192.0.2.1/", Retries: 2}}, e)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for range 2000 {
			r.Start("a", "b")
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("telling took %v, want none of the boot's time", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r.Close(ctx)
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("closing took %v, want at most what it was given", took)
		}
		if !strings.Contains(said.String(), "reporting.x") || strings.Contains(said.String(), "hunter2") {
			t.Errorf("log = %s, want the receiver's name and no password", said)
		}
	})
}

func TestAServerThatIsBadAtFirstGetsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		e, said := edges(func(r *http.Request) (*http.Response, error) {
			asked++
			if asked < 3 {
				return answer(503, ""), nil
			}
			return answer(204, ""), nil
		})
		r, err := Open(t.Context(), map[string]cloudconfig.Reporter{"x": {Type: "webhook", Endpoint: "http://192.0.2.1/", Retries: 3}}, e)
		if err != nil {
			t.Fatal(err)
		}
		r.Start("a", "b")
		r.Close(t.Context())
		if asked != 3 || said.Len() > 0 {
			t.Errorf("%d requests, log %s, want three and none", asked, said)
		}
	})
}

func TestTheHostOfAHyperVMachineHearsOfWhatItAsksFor(t *testing.T) {
	root := t.TempDir()
	pool := filepath.Join(root, kvp.Pool)
	if err := os.MkdirAll(filepath.Dir(pool), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pool, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	e, _ := edges(nil)
	e.File = func(p string) string { return filepath.Join(root, p) }
	r, err := Open(t.Context(), map[string]cloudconfig.Reporter{"host": {Type: "hyperv", EventTypes: []string{"finish"}}}, e)
	if err != nil {
		t.Fatal(err)
	}
	r.Start("final", "x")
	r.Finish("final", strings.Repeat("ü\"", 900), Warn)
	b, err := os.ReadFile(pool)
	if err != nil {
		t.Fatal(err)
	}
	key, value := string(bytes.TrimRight(b[:512], "\x00")), bytes.TrimRight(b[512:], "\x00")
	var doc map[string]string
	if err := json.Unmarshal(value, &doc); err != nil {
		t.Fatalf("value %s: %v", value, err)
	}
	if len(b) != 2560 || !strings.HasPrefix(key, "CLOUD_INIT|") || !strings.Contains(key, "|finish|final|") || doc["result"] != Warn || doc["msg"] == "" {
		t.Errorf("pool has %d bytes, %s = %v", len(b), key, doc)
	}
}

func TestWhatCannotBeMadeIsNamed(t *testing.T) {
	e, _ := edges(nil)
	_, err := Open(t.Context(), map[string]cloudconfig.Reporter{"a": {Type: "pigeon"}, "b": {Type: "webhook", Endpoint: "ftp://x"}}, e)
	for _, want := range []string{"reporting.a", "pigeon", "reporting.b", "http or https"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open() = %v, want it to say %s", err, want)
		}
	}
	var none *Reports
	none.Start("a", "b") // a plan tells nobody
	none.Close(t.Context())
	if _, err := Open(t.Context(), nil, Edges{Now: time.Now, OpenLog: func(string) (io.WriteCloser, error) { return nil, errors.New("read-only") }}); err == nil {
		t.Error("Open() = nil, want why there is no log")
	}
}
