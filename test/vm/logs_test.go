package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rancheros/image/golines"
)

// heard is what a server of logs was told.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

// cloudWatch is CloudWatch Logs as far as the driver needs it: see
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
func (h *heard) cloudWatch(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !json.Valid(body) {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	fmt.Fprintf(h, "%s %s signed=%t\n", operation, body, strings.Contains(r.Header.Get("Authorization"), "Credential=AKTEST/"))
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = io.WriteString(w, "{}")
}

// listen copies what is sent to a TCP port.
func (h *heard) listen(t *testing.T) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(h, c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// wants waits until the server was told all of these, in this order.
func (h *heard) wants(t *testing.T, what string, parts ...string) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		rest, all := h.String(), true
		for _, p := range parts {
			var ok bool
			_, rest, ok = strings.Cut(rest, p)
			all = all && ok
		}
		if all {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("%s was not told %q:\n%.2000q", what, parts, h.String())
			return
		}
	}
}

// TestLogsOfContainersReachTheirServers runs the log drivers that the engine is
// built with, but for Google's, which only logs where Google's metadata is.
func TestLogsOfContainersReachTheirServers(t *testing.T) {
	var aws, fluent, syslog heard
	cloud := httptest.NewServer(http.HandlerFunc(aws.cloudWatch))
	defer cloud.Close()
	v := Boot(t, Machine{UserData: Lines("#cloud-config", "rancher:", "  docker:",
		"    environment: [AWS_ACCESS_KEY_ID=AKTEST, AWS_SECRET_ACCESS_KEY=secret]")})
	v.WaitMark("user_docker", bootTime)
	v.Send(BusyboxTar(t), "docker import - bb")

	say := func(driver string, options ...string) string {
		command := "docker run --rm --log-driver " + driver
		for _, o := range options {
			command += " --log-opt " + o
		}
		return command + " bb /bin/echo said by " + driver
	}
	for _, local := range []string{"json-file", "local"} {
		v.Run(strings.Replace(say(local), "--rm", "--name "+local, 1))
		v.Says("docker logs "+local, "said by "+local)
	}
	v.Run(say("awslogs", "awslogs-region=eu-test-1", "awslogs-endpoint=http://10.0.2.2:"+cloud.URL[strings.LastIndex(cloud.URL, ":")+1:],
		"awslogs-group=group", "awslogs-stream=stream", "awslogs-create-group=true"))
	aws.wants(t, "CloudWatch", "CreateLogStream ", "signed=true", "PutLogEvents ", `"message":"said by awslogs"`, "signed=true")
	v.Run(say("fluentd", fmt.Sprintf("fluentd-address=10.0.2.2:%d", fluent.listen(t)), "tag=machine"))
	fluent.wants(t, "fluentd", "machine", "said by fluentd")
	v.Run(say("syslog", fmt.Sprintf("syslog-address=tcp://10.0.2.2:%d", syslog.listen(t)), "syslog-format=rfc5424"))
	syslog.wants(t, "syslog", "<30>1 ", "said by syslog")
	if out, err := v.Try(say("gcplogs", "gcp-project=p")); err == nil || !strings.Contains(out, "could not find default credentials") {
		t.Errorf("gcplogs outside of Google: %v: %s", err, out)
	}

	// The engine in the image has no source lines; the same program in out/ has.
	v.Run("sudo kill -USR1 $(pgrep -of 'dockerd.*ros/docker.json')")
	stacks := v.Eventually("sudo find /run /var/run -name 'goroutine-stacks-*' -exec cat {} +", "goroutine 1 ", time.Minute)
	program, err := os.ReadFile(Out(t, "engine/dockerd"))
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	if err := golines.Resolve(&lines, program, strings.NewReader(stacks)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(stacks, "main.go:") || !strings.Contains(lines.String(), "cmd/dockerd/main.go:") {
		t.Errorf("goroutines without lines, and with:\n%.3000s\n%.3000s", stacks, lines.String())
	}
}
