package azure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

// A fabric is Azure around a machine of a pool: it is taken after some questions.
type fabric struct {
	// pps is what IMDS says of the pool; after is how many questions for
	// reprovisiondata have no answer, silent that they have none at all.
	pps    string
	after  int
	silent bool

	asked, ready int
}

const goal = `<GoalState><Incarnation>1</Incarnation><Container><ContainerId>c</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>`

func (f *fabric) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	}
	switch {
	case r.Method == http.MethodPost:
		b, err := io.ReadAll(r.Body)
		if err == nil && strings.Contains(string(b), "<State>Ready</State>") {
			f.ready++
		}
		return answer(200, "")
	case strings.HasPrefix(r.URL.Path, "/machine"):
		return answer(200, goal)
	case r.URL.Path == "/metadata/reprovisiondata":
		f.asked++
		switch {
		case f.asked > f.after:
			return answer(200, string(envelope("<wa:HostName>mine</wa:HostName><wa:UserName>ann</wa:UserName>")))
		case f.silent:
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return answer(404, "")
	}
	return answer(200, `{"compute": {"vmId": "U"}, "extended": {"compute": {"ppsType": "`+f.pps+`"}}}`)
}

// poolMachine is a machine of Azure whose root is a folder.
func poolMachine(t *testing.T) *datasources.Host {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"chassis_asset_tag": chassisTag, "product_uuid": "5C1E8B0A-2D7F-4E38-9A41-0B6C7D2E9F13"} {
		p := filepath.Join(dir, "sys/class/dmi/id", name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &datasources.Host{Root: os.DirFS(dir), Dir: dir}
}

// save picks as the machine's own boot does.
func save(ctx context.Context, h *datasources.Host, f *fabric, up func()) (datasources.Result, error) {
	env := dstest.Env(nil, "", f)
	env.Pool = true
	return datasources.Pick(ctx, datasources.PickInput{Host: h, Kinds: []datasources.Kind{Kind}, Env: env,
		BringUp: func(context.Context, datasources.Needs) error { up(); return nil }})
}

func TestAMachineOfAPoolSaysReadyOnceAndBecomesItsUsers(t *testing.T) {
	for _, row := range []struct {
		name   string
		fabric fabric
		ups    int
	}{
		{"taken after hours", fabric{pps: poolRunning, after: 9000}, 50},
		{"its network changes", fabric{pps: poolSavable, after: 25, silent: true}, 3},
		{"taken at once", fabric{pps: poolRunning}, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f, ups := poolMachine(t), row.fabric, 0
				r, err := save(t.Context(), h, &f, func() { ups++ })
				if err != nil {
					t.Fatal(err)
				}
				if r.Instance.Hostname != "mine" || r.Instance.User != "ann" || r.Instance.ID != "5c1e8b0a-2d7f-4e38-9a41-0b6c7d2e9f13" {
					t.Errorf("instance = %+v, want the user's", r.Instance)
				}
				if f.ready != 1 {
					t.Errorf("said Ready %d times, want once: the second is for the end of provisioning", f.ready)
				}
				if ups != row.ups && (row.ups < 10 || ups < row.ups) {
					t.Errorf("the network was brought up %d times, want %d", ups, row.ups)
				}
				if h.Exists(poolMark) {
					t.Error("it still believes to be in the pool")
				}
			})
		})
	}
}

func TestAMachineOfAPoolThatRestartsStillWaitsAndItsCloneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := poolMachine(t)
		f := &fabric{pps: poolRunning, after: 1 << 30}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := save(ctx, h, f, func() {}); err == nil || f.ready != 1 {
			t.Fatalf("save = %v, said Ready %d times; want it to wait until it is switched off", err, f.ready)
		}
		// Now the service says nothing of a pool any more.
		f = &fabric{pps: "None", after: 3}
		r, err := save(t.Context(), h, f, func() {})
		if err != nil || r.Instance.Hostname != "mine" || f.ready != 0 {
			t.Errorf("save = %v, said Ready %d times; want the user's instance and no second Ready", err, f.ready)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := poolMachine(t)
		if err := os.MkdirAll(filepath.Join(h.Dir, "var/lib/cloud/data"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.Dir, poolMark), []byte("another-machine\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		f := &fabric{pps: "None", after: 1 << 30}
		if r, err := save(t.Context(), h, f, func() {}); err != nil || f.asked != 0 || r.Instance.Hostname == "mine" {
			t.Errorf("a clone asks %d times for reprovisiondata: %v", f.asked, err)
		}
	})
}

func TestAMachineWhoseOSDiskWaitsSaysReadyAndGoesNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fabric{pps: poolOSDisk}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Hour)
		defer cancel()
		if _, err := save(ctx, poolMachine(t), f, func() {}); err == nil || f.ready != 1 || f.asked != 0 {
			t.Errorf("save = %v, Ready %d times, asked %d times; want it to wait for its end", err, f.ready, f.asked)
		}
	})
}

func TestWhoOnlyLooksTellsThePoolNothing(t *testing.T) {
	h, f := poolMachine(t), &fabric{pps: poolRunning}
	env := dstest.Env(h, "", f)
	_, err := Kind.Fetch(t.Context(), env)
	if _, ok := errors.AsType[*datasources.Waiting](err); !ok || f.ready != 0 || f.asked != 0 {
		t.Errorf("Fetch() = %v, Ready %d times; want Waiting and nothing told", err, f.ready)
	}
}
