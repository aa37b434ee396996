package datasources

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNoneOnTheCommandLineAsksNobody(t *testing.T) {
	h, kinds := host(map[string]string{"proc/cmdline": "ro ds=None"}), []Kind{kind("drive", Local, Yes, "x")}
	if r, err := Pick(t.Context(), PickInput{Host: h, Kinds: kinds}); !errors.Is(err, ErrNone) || len(r.Attempts) != 0 {
		t.Errorf("Pick() = %+v, %v, want ErrNone", r, err)
	}
	c, err := choose(h, kinds, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	list, code := c.Upstream()
	if diff := cmp.Diff([]string{None}, list); diff != "" || code != 0 {
		t.Errorf("Upstream() = %d %s", code, diff)
	}
}

func TestAReportNeverSwitchesOff(t *testing.T) {
	h := host(map[string]string{"etc/cloud/ds-identify.cfg": "policy: report"})
	c, err := choose(h, []Kind{kind("drive", Local, No, "x")}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if list, code := c.Upstream(); list != nil || code != 0 {
		t.Errorf("Upstream() = %v, %d, want nothing and 0", list, code)
	}
}

func TestWordsOfAPolicyThatNobodyKnowsChangeNothing(t *testing.T) {
	for text, want := range map[string]Policy{
		"report,found=first,maybe=all,notfound=enabled": {"report", "first", "all", "enabled", true},
		"maybe=all,maybe=some,found=most,notfound=,on":  {"search", "all", "all", "disabled", true},
	} {
		if got := policy(host(map[string]string{"etc/cloud/ds-identify.cfg": "policy: " + text})); got != want {
			t.Errorf("policy(%s) = %+v, want %+v", text, got, want)
		}
	}
}
