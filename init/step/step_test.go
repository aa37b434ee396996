package step

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func run(t *testing.T, steps ...Step[*[]string]) ([]string, []Result, string, error) {
	t.Helper()
	var log, rec bytes.Buffer
	var did []string
	r := Runner{Log: slog.New(slog.NewTextHandler(&log, nil)), Record: &rec, Still: time.Millisecond}
	err := Run(t.Context(), r, "test", &did, steps)
	var results []Result
	for dec := json.NewDecoder(&rec); dec.More(); {
		var res Result
		if err := dec.Decode(&res); err != nil {
			t.Fatal(err)
		}
		results = append(results, res)
	}
	return did, results, log.String(), err
}

func do(name string, err error) func(context.Context, *[]string) error {
	return func(_ context.Context, did *[]string) error {
		*did = append(*did, name)
		return err
	}
}

func TestAFailedShouldIsNotedAndAFailedMustEnds(t *testing.T) {
	boom := errors.New("boom")
	did, results, _, err := run(t,
		Should("a", do("a", boom)),
		Must("b", do("b", Skip("nothing to do"))),
		Must("c", do("c", boom)),
		Must("d", do("d", nil)),
	)
	if !errors.Is(err, boom) {
		t.Errorf("err = %v, want boom", err)
	}
	if d := cmp.Diff([]string{"a", "b", "c"}, did); d != "" {
		t.Error(d)
	}
	want := []Result{
		{Phase: "test", Name: "a", Outcome: Failed, Detail: "boom"},
		{Phase: "test", Name: "b", Outcome: Skipped, Detail: "nothing to do"},
		{Phase: "test", Name: "c", Outcome: Failed, Detail: "boom"},
	}
	if d := cmp.Diff(want, results, cmpopts.IgnoreFields(Result{}, "Start", "Took")); d != "" {
		t.Error(d)
	}
}

func TestAPanicIsAFailure(t *testing.T) {
	_, results, _, err := run(t, Should("p", func(context.Context, *[]string) error { panic("oh") }))
	if err != nil || results[0].Outcome != Failed {
		t.Errorf("err = %v, results = %v", err, results)
	}
}

func TestASlowStepSaysThatItIsStillRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its time is not ours: nothing waits
		_, _, log, _ := run(t, Should("slow", func(context.Context, *[]string) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		}))
		if !bytes.Contains([]byte(log), []byte("still running")) {
			t.Errorf("log = %s", log)
		}
	})
}
