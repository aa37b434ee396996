# ros: build the OS, run it, test it. `make` alone lists the targets.
VERSION := $(shell cat VERSION)
# Inlining copies functions to where they are called, and costs the ISO 5 MB (docs/adr/041-size-of-programs.md).
# The standard library keeps it, where it is what makes programs fast.
SMALL   := -gcflags=all=-l -gcflags=std= $(foreach p,net net/... vendor/... crypto/tls/... crypto/x509/... html/... text/... database/... mime/... log/... archive/... go/... encoding/gob encoding/xml encoding/asn1 expvar flag os/exec os/user,-gcflags=$(p)=-l)
GOBUILD := CGO_ENABLED=0 go build $(SMALL) -trimpath -buildvcs=false
LDFLAGS := -s -w -X rancheros/cmd/ros/cli.Version=$(VERSION)
export KERNEL MODULES PROFILE QUICK COMPRESSION USER_DATA MEM CPUS DATASOURCE DISK SSH_PORT ACCEL

.DEFAULT_GOAL := help
.PHONY: help run image programs deb engine deps test-deps test fuzz vet bench bench-peer conformance generate reproducible clean

include engine/engine.mk

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo; echo "  run takes USER_DATA=file MEM=1024 CPUS=2 DISK=file SSH_PORT=2222 DATASOURCE=nocloud|configdrive|ec2|gce|openstack|digitalocean"
	@echo "  image takes KERNEL=bzImage MODULES=dir PROFILE=storage,wifi QUICK=1"

run: image ## build the OS and boot it in QEMU; ssh by port 2222
	@out/ros-image run

image: programs ## build out/{vmlinuz,initrd,root.squashfs,ros.iso,disk.qcow2,manifest.json,images/}
	@out/ros-image build

programs: deps engine ## build our own programs into out/
	@$(GOBUILD) -o out/ros-image ./cmd/ros-image
	@$(GOBUILD) -ldflags "$(LDFLAGS)" -o out/ros ./cmd/ros
	@$(GOBUILD) -ldflags "-s -w" -o out/init ./cmd/init

test-deps:
	@go run ./cmd/ros-image deps --test

deps: ## install by apt what is missing to build and to run
	@go run ./cmd/ros-image deps

test: test-deps image vet ## rules of the repository, unit tests, kernel tests, machine tests
	go test -race -timeout 20m $$(go list ./... | grep -v /test/vm)
	cd engine && go test ./...
	go test -count=1 -timeout 60m -v ./test/vm

deb: programs ## build out/ros-cloud-init_VERSION_amd64.deb, a cloud-init for Debian and Ubuntu
	@out/ros-image deb

fuzz: ## run the fuzz targets for FUZZTIME (1m), less those that only the machine itself feeds
	@go run ./test/fuzz -time $(or $(FUZZTIME),1m)

vet: ## gofmt and go vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...

SAMPLE := $(wildcard $(abspath ../shared/bench/samples/rich))
bench: image ## measure this system, write out/bench.json
	ROS_BENCH=$(abspath out/bench.json) ROS_BENCH_SAMPLE=$(SAMPLE) go test -count=1 -v -timeout 60m -run TestFigures ./test/bench

bench-peer: bench ## measure Debian + cloud-init + docker.io in turn with ours: PEER=folder of its scripts
	ROS_BENCH_PEER=$(abspath $(or $(PEER),../shared/bench)) go test -count=1 -v -timeout 120m -run TestPeer ./test/bench

conformance: ## hold out/ros to cases of other projects: ROS_CONFORMANCE=folder
	@$(GOBUILD) -ldflags "$(LDFLAGS)" -o out/ros ./cmd/ros
	@cd test/conformance && ROS_BIN=$(abspath out/ros) ROS_CONFORMANCE=$(abspath $(or $(ROS_CONFORMANCE),../shared/conformance)) go test -count=1 -timeout 30m

generate: ## schema and reference pages
	go generate ./...

reproducible: programs ## build the image twice and compare
	@out/ros-image reproducible

clean: ## remove out/ (not the cached packages)
	rm -rf out
