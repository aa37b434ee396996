# The engine's binaries, for the Makefile to include: `make engine`.
# What go builds it also caches; these rules only save its looking.

ENGINE_OUT  := out/engine
ENGINE_MODS := engine/go.mod engine/go.sum engine/engine.mk
ENGINE_SRC  := $(ENGINE_MODS) $(shell find engine -name '*.go' -not -name '*_test.go')
# Left out: what needs other kernels, daemons or libraries than ours.
ENGINE_TAGS := netgo osusergo static_build no_btrfs no_zfs no_devmapper no_cri no_tracing nri_no_wasm exclude_graphdriver_btrfs exclude_graphdriver_zfs exclude_graphdriver_fuseoverlayfs exclude_disk_quota seccomp runc_nocriu urfave_cli_no_docs
# SMALL is the Makefile's. Compression of layers stays fast.
ENGINE_SMALL := $(SMALL) -gcflags=github.com/klauspost/compress/...=
ENGINE_MOD   = $(shell cd engine && go list -m -f '{{.Version}}' $(1))
# moby/v2 is tagged as a library; beta.24 is of the 29.8 line of the engine. The command line has a number of its own.
ENGINE_X     = -X github.com/moby/moby/v2/dockerversion.Version=29.8.0-$(lastword $(subst -, ,$(call ENGINE_MOD,github.com/moby/moby/v2))) -X github.com/moby/moby/v2/dockerversion.PlatformName=ros -X github.com/docker/cli/cli/version.Version=$(1)

# BuildKit without its proxy. See docs/adr/032-buildkit-proxy.md. -modfile points the build at it; go.mod stays as it is.
ENGINE_KIT   = out/engine-src
ENGINE_PROXY = engine/internal/proxyprovider/proxyprovider.go

.PHONY: engine
engine: $(ENGINE_OUT)/runc $(ENGINE_OUT)/containerd-shim-runc-v2 $(ENGINE_OUT)/dockerd

$(ENGINE_KIT)/go.mod: $(ENGINE_MODS) $(ENGINE_PROXY)
	@rm -rf $(@D) && mkdir -p $(@D) && cd engine && go mod download github.com/moby/buildkit
	@cp -r "$$(cd engine && go list -m -f '{{.Dir}}' github.com/moby/buildkit)" $(@D)/buildkit && chmod -R u+w $(@D)/buildkit
	@rm $(@D)/buildkit/util/network/proxyprovider/*.go && cp $(ENGINE_PROXY) $(@D)/buildkit/util/network/proxyprovider/
	@cp engine/go.sum $(@D)/go.sum && { cat engine/go.mod; echo 'replace github.com/moby/buildkit => ../$(@D)/buildkit'; } > $@

$(ENGINE_OUT)/dockerd: $(ENGINE_SRC) $(ENGINE_KIT)/go.mod
	@mkdir -p $(@D); echo "engine: dockerd and docker (the first time takes minutes)"
	@cd engine && CGO_ENABLED=0 go build -modfile ../$(ENGINE_KIT)/go.mod $(ENGINE_SMALL) -trimpath -buildvcs=false -tags '$(ENGINE_TAGS)' -ldflags '-s -w $(call ENGINE_X,$(patsubst v%,%,$(patsubst %+incompatible,%,$(call ENGINE_MOD,github.com/docker/cli))))' -o ../$@ ./cmd/dockerd

# It is called by ttrpc; without gRPC it has half the size, in the image and in memory.
$(ENGINE_OUT)/containerd-shim-runc-v2: $(ENGINE_MODS)
	@mkdir -p $(@D); echo "engine: containerd-shim-runc-v2"
	@cd engine && CGO_ENABLED=0 go build $(ENGINE_SMALL) -trimpath -buildvcs=false -tags '$(ENGINE_TAGS) no_grpc' -ldflags '-s -w' -o ../$@ github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2

# cgo: runc enters namespaces in C, before Go has threads. It needs libseccomp-dev.
$(ENGINE_OUT)/runc: $(ENGINE_MODS)
	@mkdir -p $(@D); echo "engine: runc"
	@cd engine && CGO_ENABLED=1 go build $(ENGINE_SMALL) -trimpath -buildvcs=false -tags '$(ENGINE_TAGS)' -ldflags '-s -w -linkmode external -extldflags -static -X main.version=$(patsubst v%,%,$(call ENGINE_MOD,github.com/opencontainers/runc))' -o ../$@ github.com/opencontainers/runc
