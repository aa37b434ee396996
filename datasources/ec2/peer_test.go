package ec2

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/dstest"
)

// peer starts Amazon's own mock of its service, which wants tokens, and returns
// its URL.
func peer(t *testing.T, config map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	bin, file := filepath.Join(dir, "mock"), filepath.Join(dir, "config.json")
	// A module of its own pins it: what it depends on is no dependency of ours.
	build := exec.Command("go", "build", "-C", "../../test/peers", "-o", bin, "github.com/aws/amazon-ec2-metadata-mock/cmd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build amazon-ec2-metadata-mock: %v: %s", err, out)
	}
	b, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	host, port := freePort(t)
	var log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, "-n", host, "-p", port, "--imdsv2", "-c", file)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("amazon-ec2-metadata-mock said:\n%s", &log)
		}
	})
	url := "http://" + net.JoinHostPort(host, port)
	awaitPeer(t, url)
	return url
}

func freePort(t *testing.T) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// awaitPeer waits until something answers; it says nothing when it is ready.
func awaitPeer(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(r); err == nil {
			res.Body.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not answer", url)
		}
	}
}

// TestAmazonsOwnMockIsUnderstood fetches from a service that nobody here wrote.
func TestAmazonsOwnMockIsUnderstood(t *testing.T) {
	const user = "#cloud-config\nhostname: chosen\n"
	url := peer(t, map[string]any{
		"metadata": map[string]any{"values": map[string]any{
			"instance-id": "i-0123456789abcdef0", "local-hostname": "ip-10-1-0-5.ec2.internal", "local-ipv4": "10.1.0.5",
			"placement-availability-zone": "us-east-1f", "mac": "0e:49:61:0f:c3:11",
		}},
		"userdata": map[string]any{"values": map[string]any{"userdata": []byte(user)}},
	})
	host, err := datasources.RecordedHost("testdata/aws")
	if err != nil {
		t.Fatal(err)
	}
	host.Links = []datasources.HostLink{{Name: "ens5", MAC: "0e:49:61:0f:c3:11", Up: true}} // its card
	env := dstest.Env(host, "", nil)
	env.HTTP, env.Endpoint = nil, url
	in, err := Kind.Fetch(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	// The mock's identity document has an ID, zone and region of its own, which go
	// before, as the document is signed.
	if in.ID != "i-1234567890abcdef0" || in.Hostname != "ip-10-1-0-5.ec2.internal" || in.PrivateIPv4 != "10.1.0.5" || in.Region != "us-east-1" {
		t.Errorf("Fetch() = %+v", in)
	}
	if string(in.UserData) != user {
		t.Errorf("user-data = %q, want %q", in.UserData, user)
	}
	if len(in.PublicKeys) != 1 || !strings.HasPrefix(in.PublicKeys[0], "ssh-rsa ") {
		t.Errorf("public keys = %q, want the mock's one", in.PublicKeys)
	}
	if in.Network == nil || len(in.Network.Links) == 0 {
		t.Errorf("network = %+v, want that of the mock's card", in.Network)
	}
}
