package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"rancheros/datasources"
	"rancheros/datasources/internal/imds"
)

// service is IMDS. It answers 404 and 410 while the platform moves the machine
// or has not yet set it up; both are over within minutes.
//
// https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
var service = imds.Service{
	Bases:    []string{"http://169.254.169.254"},
	Header:   map[string]string{"Metadata": "true"},
	RetryOn:  []int{http.StatusNotFound, http.StatusGone},
	Deadline: 90 * time.Second,
}

const (
	instancePath = "/metadata/instance?api-version=2021-08-01&extended=true"
	// instancePathOld is for stacks that do not know the version above: they
	// answer 400.
	instancePathOld = "/metadata/instance?api-version=2019-06-01"
)

// A document is what IMDS says of the instance.
type document struct {
	Compute struct {
		Location            string `json:"location"`
		Name                string `json:"name"`
		VMID                string `json:"vmId"`
		VMSize              string `json:"vmSize"`
		Zone                string `json:"zone"`
		PlatformFaultDomain string `json:"platformFaultDomain"`
		// UserData is base64. CustomData is never filled in by today's service.
		UserData   string `json:"userData"`
		CustomData string `json:"customData"`
		PublicKeys []struct {
			KeyData string `json:"keyData"`
		} `json:"publicKeys"`
		OSProfile struct {
			AdminUsername   string `json:"adminUsername"`
			ComputerName    string `json:"computerName"`
			DisablePassword string `json:"disablePasswordAuthentication"`
		} `json:"osProfile"`
	} `json:"compute"`
	Network struct {
		Interface []nic `json:"interface"`
	} `json:"network"`
	Extended struct {
		Compute struct {
			HasCustomData bool   `json:"hasCustomData"`
			PPSType       string `json:"ppsType"`
		} `json:"compute"`
	} `json:"extended"`
	raw map[string]any
}

type nic struct {
	MAC  string     `json:"macAddress"`
	IPv4 nicAddress `json:"ipv4"`
	IPv6 nicAddress `json:"ipv6"`
}

type nicAddress struct {
	IPAddress []struct {
		Private string `json:"privateIpAddress"`
		Public  string `json:"publicIpAddress"`
	} `json:"ipAddress"`
	Subnet []struct {
		Address string `json:"address"`
		Prefix  string `json:"prefix"`
	} `json:"subnet"`
}

func parseIMDS(b []byte) (*document, error) {
	d := &document{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("parse answer: %w", err)
	}
	if err := json.Unmarshal(b, &d.raw); err != nil {
		return nil, fmt.Errorf("parse answer: %w", err)
	}
	return d, nil
}

// haveOVF is how long to wait for IMDS when the drive has said the most.
const haveOVF = 30 * time.Second

func askIMDS(ctx context.Context, env datasources.Env, ovf bool) (*document, error) {
	s := service
	if ovf {
		s.Deadline = haveOVF
	}
	s.Header = map[string]string{"Metadata": "true", "x-ms-client-request-id": requestID()}
	c := s.Open(env)
	b, err := c.Get(ctx, instancePath)
	if imds.Status(err) == http.StatusBadRequest {
		b, err = c.Get(ctx, instancePathOld)
	}
	if err != nil {
		return nil, err
	}
	d, err := parseIMDS(b)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", c.Base(), instancePath, err)
	}
	return d, nil
}
