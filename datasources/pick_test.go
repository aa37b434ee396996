package datasources

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// kind makes a datasource that says match and answers with an instance of that
// ID, or fails when it is empty.
func kind(name string, needs Needs, match Match, id string) Kind {
	return Kind{
		Name: name, Upstream: strings.ToUpper(name), Needs: needs,
		Detect: func(*Host) Finding { return Finding{match, "it looks so"} },
		Fetch: func(context.Context, Env) (*Instance, error) {
			if id == "" {
				return nil, errors.New("GET http://x/: 500")
			}
			return &Instance{ID: id}, nil
		},
	}
}

func host(files map[string]string) *Host {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return &Host{Root: m}
}

var uuid = map[string]string{"sys/class/dmi/id/product_uuid": "U"}

func TestPickOrder(t *testing.T) {
	explicit := kind("url", Network, No, "url")
	explicit.Explicit = true
	kinds := []Kind{
		kind("net", Network, Yes, "net"), kind("link", LinkUp, Yes, "link"), kind("drive", Local, Yes, "drive"),
		kind("perhaps", Local, Maybe, "perhaps"), kind("absent", Local, No, "absent"), explicit,
	}
	tests := []struct {
		name  string
		files map[string]string
		named []string
		kinds []Kind
		want  string
	}{
		{name: "local before link before network", want: "drive link net perhaps"},
		{name: "only what was named", named: []string{"net", "link"}, want: "link net"},
		{name: "one name is taken unseen", named: []string{"absent"}, want: "absent"},
		{name: "several names are looked at", named: []string{"absent", "net"}, want: "net"},
		{name: "explicit ones are taken when named", named: []string{"url:http://x", "net"}, want: "net url"},
		{name: "a star is all", named: []string{"*"}, want: "drive link net perhaps"},
		{name: "a star and a name", named: []string{"absent:x", "*"}, want: "drive link net absent perhaps"},
		{name: "command line goes before names", files: map[string]string{"proc/cmdline": "quiet ds=ABSENT;s=x ro"}, named: []string{"net"}, want: "absent"},
		{name: "ci.ds", files: map[string]string{"proc/cmdline": "ci.ds=link"}, want: "link"},
		{name: "list in cloud.cfg", files: map[string]string{"etc/cloud/cloud.cfg": "datasource_list: [ABSENT, NET, None]"}, want: "net"},
		{name: "list of one in a drop-in", files: map[string]string{"etc/cloud/cloud.cfg.d/90.cfg": "datasource_list:\n- ABSENT\n- None\n"}, want: "absent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Choose(host(tt.files), kinds, tt.named)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range c.Candidates {
				got = append(got, c.Name)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("Choose() = %v, want %s", got, tt.want)
			}
		})
	}
}

func TestPickTakesTheNextWhenOneFails(t *testing.T) {
	var up []string
	r, err := Pick(t.Context(), PickInput{
		Host:    host(uuid),
		Kinds:   []Kind{kind("net", Network, Yes, "net"), kind("drive", Local, Yes, "")},
		BringUp: func(_ context.Context, n Needs) error { up = append(up, n.String()); return nil },
	})
	if err != nil || r.Instance.ID != "net" || r.Instance.Datasource != "net" || len(r.Attempts) != 2 {
		t.Fatalf("Pick() = %+v, %v, want net", r, err)
	}
	if diff := cmp.Diff([]string{"network"}, up); diff != "" {
		t.Error(diff)
	}
	if r.Attempts[0].Error == "" || r.Attempts[0].Kind != "drive" {
		t.Errorf("Attempts = %+v, want the failure of drive first", r.Attempts)
	}
	if want := (Identity{Datasource: "net", InstanceID: "net", SystemUUID: "u"}); r.Identity != want {
		t.Errorf("Identity = %+v, want %+v", r.Identity, want)
	}
}

func TestAnOutageIsNoNewInstance(t *testing.T) {
	kinds := []Kind{kind("cloud", Network, Yes, ""), kind("drive", Local, Yes, "drive")}
	r, err := Pick(t.Context(), PickInput{
		Host: host(uuid), Kinds: kinds,
		Saved: &Identity{Datasource: "cloud", InstanceID: "i-1", SystemUUID: "other"},
	})
	if err == nil || r.Instance != nil || len(r.Attempts) != 1 {
		t.Errorf("Pick() = %+v, %v, want the error of cloud and no other attempt", r, err)
	}
}

func TestTheSameMachineAsksNobody(t *testing.T) {
	saved := &Identity{Datasource: "cloud", InstanceID: "i-1", SystemUUID: "u"}
	kinds := []Kind{kind("cloud", Network, Yes, ""), kind("drive", Local, Yes, "drive")}
	r, err := Pick(t.Context(), PickInput{Host: host(uuid), Kinds: kinds, Saved: saved})
	if err != nil || !r.Unchanged || len(r.Attempts) != 0 || r.Kind.Name != "cloud" {
		t.Errorf("Pick() = %+v, %v, want unchanged", r, err)
	}
	r, err = Pick(t.Context(), PickInput{Host: host(uuid), Kinds: kinds, Saved: saved, Named: []string{"drive"}})
	if err != nil || r.Unchanged || r.Instance.ID != "drive" {
		t.Errorf("Pick() = %+v, %v, want the one that was named since", r, err)
	}
}

func TestCloudInitCanBeSwitchedOff(t *testing.T) {
	for _, files := range []map[string]string{
		{"etc/cloud/cloud-init.disabled": ""},
		{"proc/cmdline": "ro cloud-init=disabled"},
		{"etc/cloud/ds-identify.cfg": "policy: disabled"},
	} {
		if _, err := Pick(t.Context(), PickInput{Host: host(files), Kinds: []Kind{kind("drive", Local, Yes, "x")}}); !errors.Is(err, ErrDisabled) {
			t.Errorf("Pick(%v) = %v, want ErrDisabled", files, err)
		}
	}
	if _, err := Pick(t.Context(), PickInput{Host: host(nil), Kinds: []Kind{kind("drive", Local, No, "x")}}); !errors.Is(err, ErrNone) {
		t.Errorf("Pick() = %v, want ErrNone", err)
	}
}

func TestNoNetworkIsAnAttemptThatFailed(t *testing.T) {
	r, err := Pick(t.Context(), PickInput{
		Host: host(nil), Kinds: []Kind{kind("cloud", Network, Yes, "x")},
		BringUp: func(context.Context, Needs) error { return errors.New("no link") },
	})
	if err == nil || !strings.Contains(err.Error(), "no link") || len(r.Attempts) != 1 {
		t.Errorf("Pick() = %+v, %v", r, err)
	}
	b, _ := r.Report(err)
	for _, want := range []string{`"match": "yes"`, `"needs": "network"`, `no link`, `"version": 1`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("Report() lacks %s:\n%s", want, b)
		}
	}
}
