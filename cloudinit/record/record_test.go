package record

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"rancheros/datasources"
)

func kind(url string) datasources.Kind {
	return datasources.Kind{Name: "web", Needs: datasources.Network,
		Detect: func(h *datasources.Host) datasources.Finding {
			if h.DMI("sys_vendor") == "Test" {
				return datasources.Finding{Match: datasources.Yes}
			}
			return datasources.Finding{}
		},
		Fetch: func(ctx context.Context, env datasources.Env) (*datasources.Instance, error) {
			in := &datasources.Instance{}
			for _, f := range []struct {
				path string
				to   *string
			}{{"/id", &in.ID}, {"/user-data", new(string)}} {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+f.path, nil)
				if err != nil {
					return nil, err
				}
				resp, err := env.HTTP.Do(req)
				if err != nil {
					return nil, err
				}
				b, err := io.ReadAll(resp.Body)
				if err = errors.Join(err, resp.Body.Close()); err != nil {
					return nil, err
				}
				*f.to = string(b)
			}
			return in, nil
		}}
}

func TestWhatWasRecordedIsPlayedBackWithoutItsSecrets(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Auth-Token", "t0ken")
		io.WriteString(w, map[string]string{"/id": "i-7", "/user-data": "password: hunter2"}[r.URL.Path])
	}))
	host := &datasources.Host{Root: fstest.MapFS{"sys/class/dmi/id/sys_vendor": {Data: []byte("Test\n")}, "etc/unread": {Data: []byte("x")}}}
	var out bytes.Buffer
	fetched, err := Record(t.Context(), &out, Options{Host: host, Kinds: []datasources.Kind{kind(s.URL)}})
	if fetched != nil || err != nil {
		t.Fatal(fetched, err)
	}
	s.Close()
	for _, secret := range []string{"hunter2", "t0ken", "etc/unread"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the recording holds %q", secret)
		}
	}
	rec, err := Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	r, err := datasources.Pick(t.Context(), datasources.PickInput{Host: rec.Host, Kinds: []datasources.Kind{kind(s.URL)}, Env: datasources.Env{HTTP: rec.Client}})
	if err != nil || r.Instance.ID != "i-7" {
		t.Errorf("Pick() = %+v, %v", r.Instance, err)
	}
}

func TestSecretsOfDocumentsAreRemoved(t *testing.T) {
	got := string(cleanBody("/openstack/latest/meta_data.json", []byte(`{"admin_pass":"x1","uuid":"u","public_keys":{"a":"ssh-rsa"},"nested":[{"random_seed":"x2"}]}`)))
	if strings.Contains(got, "x1") || strings.Contains(got, "x2") || !strings.Contains(got, "ssh-rsa") || !strings.Contains(got, `"u"`) {
		t.Errorf("cleanBody() = %s", got)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := writeTar(&b, map[string][]byte{"facts.json": []byte("{}"), "http.json": []byte("[]"), "host/a": []byte("x")}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Read(bytes.NewReader(b)) })
}
