package conformance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// corpora are the kinds of cases, one folder each, with the file that makes a
// folder a case. Least is the share that must hold: a little less than holds
// today, so that a step back fails and a new case that we miss does not. Some
// wait for servers that say nothing, and are run several at once.
var corpora = []struct {
	name, file string
	least      float64
	atOnce     int
	one        func(t *testing.T, bin, dir string) error
}{
	{"datasources", "expect.json", 0.94, 6, oneSource},
	{"ds-identify", "case.json", 0.97, 1, oneDetection},
	{"ignition", "expect.json", 0.90, 1, oneIgnition},
	{"merge", "case.json", 0.90, 1, oneMerge},
	{"network", "case.json", 0.97, 1, oneNetwork},
	{"schema", "expect.json", 0.98, 1, oneSchema},
	{"userdata", "expect.json", 0.94, 1, oneUserData},
}

// errNotOurs says that a case looks inside of its own source, at something that
// none of our commands shows. Such cases are counted apart.
var errNotOurs = errors.New("looks inside of its source")

// TestConformance runs every case there is, and prints the scores together.
func TestConformance(t *testing.T) {
	bin, dir := os.Getenv("ROS_BIN"), os.Getenv("ROS_CONFORMANCE")
	if bin == "" || dir == "" {
		t.Skip("ROS_BIN and ROS_CONFORMANCE are not set")
	}
	all := 0
	var scores []string
	for _, c := range corpora {
		cases, err := filepath.Glob(filepath.Join(dir, c.name, "*", c.file))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(c.name, func(t *testing.T) {
			outcome := make([]error, len(cases))
			var g errgroup.Group
			g.SetLimit(c.atOnce)
			for i, name := range cases {
				g.Go(func() error {
					outcome[i] = c.one(t, bin, filepath.Dir(name))
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			good, apart := 0, 0
			for i, err := range outcome {
				switch name := filepath.Base(filepath.Dir(cases[i])); {
				case err == nil:
					good++
				case errors.Is(err, errNotOurs):
					apart++
				default:
					fmt.Println("miss", c.name, name, strings.Join(strings.Fields(err.Error()), " "))
				}
			}
			if apart > 0 {
				fmt.Printf("apart %s: %d cases look inside of their source\n", c.name, apart)
			}
			count := len(cases) - apart
			scores = append(scores, fmt.Sprintf("score %s %d/%d", c.name, good, count))
			if float64(good) < c.least*float64(count) {
				t.Errorf("%s: %d of %d cases hold, want at least %.0f%%", c.name, good, count, c.least*100)
			}
			all += len(cases)
		})
	}
	if all == 0 {
		t.Errorf("no cases below %s: ROS_CONFORMANCE is the folder that has datasources, ds-identify, ... in it", dir)
	}
	for _, s := range scores {
		fmt.Println(s)
	}
}
