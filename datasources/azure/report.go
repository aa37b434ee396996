package azure

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
	"rancheros/datasources/internal/wire"
	"rancheros/sys/kvp"
)

// wireServer is where the fabric listens unless DHCP option 245 says otherwise.
const wireServer = "168.63.129.16"

// maxDescription is what the fabric accepts as the reason of a failure.
const maxDescription = 512

// report tells the fabric that the machine is ready, or why not: without it the
// platform declares the deployment failed after its time is up. The host's key
// value store hears it as well, which support reads when the network is down.
func report(ctx context.Context, env datasources.Env, in *datasources.Instance, cause error) error {
	kvpErr := reportKVP(env.Host, in, cause)
	s := imds.Service{
		Bases: []string{"http://" + wireServerOf(env.Host)},
		Header: map[string]string{
			"x-ms-agent-name": "WALinuxAgent",
			"x-ms-version":    "2012-11-30",
		},
	}
	c := s.Open(env)
	b, err := c.Get(ctx, "/machine/?comp=goalstate")
	if err != nil {
		return errors.Join(fmt.Errorf("report to the wire server: %w", err), kvpErr)
	}
	goal, err := parseGoalState(b)
	if err != nil {
		return errors.Join(err, kvpErr)
	}
	body, err := healthReport(goal, cause)
	if err != nil {
		return errors.Join(err, kvpErr)
	}
	_, err = c.Do(ctx, imds.Request{
		Method: http.MethodPost,
		Path:   "/machine?comp=health",
		Header: map[string]string{"Content-Type": "text/xml; charset=utf-8"},
		Body:   body,
	})
	if err != nil {
		err = fmt.Errorf("report to the wire server: %w", err)
	}
	return errors.Join(err, kvpErr)
}

// wireServerOf looks for DHCP option 245.
func wireServerOf(h *datasources.Host) string {
	for _, l := range wire.Leases(h) {
		if a, ok := netip.AddrFromSlice(l.Options[245]); ok && a.Is4() {
			return a.String()
		}
	}
	return wireServer
}

// A goalState is what the fabric wants of this machine; a report must name it.
type goalState struct{ incarnation, container, instance string }

func parseGoalState(b []byte) (goalState, error) {
	root, err := wire.ParseXML(b)
	if err != nil {
		return goalState{}, fmt.Errorf("parse goal state: %w", err)
	}
	g := goalState{
		incarnation: root.First("Incarnation").Value(),
		container:   root.First("Container", "ContainerId").Value(),
		instance:    root.First("Container", "RoleInstanceList", "RoleInstance", "InstanceId").Value(),
	}
	if g.incarnation == "" || g.container == "" || g.instance == "" {
		return g, errors.New("parse goal state: Incarnation, ContainerId or InstanceId is missing")
	}
	return g, nil
}

// health is the report as the fabric reads it.
type health struct {
	XMLName     xml.Name `xml:"Health"`
	Incarnation string   `xml:"GoalStateIncarnation"`
	Container   struct {
		ContainerID string `xml:"ContainerId"`
		Role        struct {
			InstanceID string `xml:"InstanceId"`
			Health     struct {
				State   string         `xml:"State"`
				Details *healthDetails `xml:"Details,omitempty"`
			} `xml:"Health"`
		} `xml:"RoleInstanceList>Role"`
	} `xml:"Container"`
}

type healthDetails struct {
	SubStatus   string `xml:"SubStatus"`
	Description string `xml:"Description"`
}

func healthReport(g goalState, cause error) ([]byte, error) {
	var r health
	r.Incarnation = g.incarnation
	r.Container.ContainerID = g.container
	r.Container.Role.InstanceID = g.instance
	r.Container.Role.Health.State = "Ready"
	if cause != nil {
		r.Container.Role.Health.State = "NotReady"
		r.Container.Role.Health.Details = &healthDetails{
			SubStatus:   "ProvisioningFailed",
			Description: kvp.Cut(cause.Error(), maxDescription),
		}
	}
	b, err := xml.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write health report: %w", err)
	}
	return append([]byte(xml.Header), b...), nil
}
