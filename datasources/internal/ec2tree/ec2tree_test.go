package ec2tree

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCrawlFollowsTheRulesOfEC2(t *testing.T) {
	files := map[string]string{
		"m/":                            "ami-id\nplacement/\npublic-keys/\niam/\nlines\njson\ngone\ninstance-id/\ninstance-id",
		"m/ami-id":                      "ami-1",
		"m/placement/":                  "availability-zone",
		"m/placement/availability-zone": "a",
		"m/public-keys/":                "0=one\n1=two",
		"m/public-keys/0/openssh-key":   "ssh-rsa A",
		"m/public-keys/1/openssh-key":   "ssh-rsa B\nssh-rsa C\n",
		"m/iam/":                        "security-credentials/\ninfo",
		"m/iam/info":                    "",
		"m/lines":                       "a\nb",
		"m/json":                        `{"a": 1}`,
		"m/instance-id/":                "x",
		"m/instance-id/x":               "1",
		"m/instance-id":                 "file",
	}
	got, err := Crawl(t.Context(), func(_ context.Context, path string) ([]byte, error) {
		if s, ok := files[path]; ok {
			return []byte(s), nil
		}
		return nil, nil
	}, "m/")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"ami-id": "ami-1", "placement": map[string]any{"availability-zone": "a"},
		"public-keys": map[string]any{"one": "ssh-rsa A", "two": []any{"ssh-rsa B", "ssh-rsa C"}},
		"iam":         map[string]any{"info": ""},
		"lines":       []any{"a", "b"}, "json": map[string]any{"a": 1.0},
		"instance-id": map[string]any{"x": "1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestCrawlIsBounded(t *testing.T) {
	for name, list := range map[string]string{"deep": "a/\n", "wide": strings.Repeat("x\n", 5000)} {
		t.Run(name, func(t *testing.T) {
			_, err := Crawl(t.Context(), func(_ context.Context, path string) ([]byte, error) {
				return []byte(list), nil
			}, "m/")
			if err == nil {
				t.Error("Crawl() has no end")
			}
		})
	}
}

func TestCrawlEndsAtTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	_, err := Crawl(t.Context(), func(_ context.Context, path string) ([]byte, error) {
		if path == "m/" {
			return []byte("a\nb\nc"), nil
		}
		return nil, broken
	}, "m/")
	if !errors.Is(err, broken) {
		t.Errorf("Crawl() = %v, want broken", err)
	}
}
