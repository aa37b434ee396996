# The engine's binaries, for the Makefile to include: `make engine`.
# What go builds it also caches; these rules only save its looking.

ENGINE_OUT  := out/engine
ENGINE_MODS := engine/go.mod engine/go.sum engine/engine.mk
ENGINE_SRC  := $(ENGINE_MODS) $(shell find engine -name '*.go' -not -name '*_test.go' -o -path '*/trim/*/go.mod')
# Left out: what needs other kernels, daemons or libraries than ours.
ENGINE_TAGS := netgo osusergo static_build no_btrfs no_zfs no_devmapper no_cri no_tracing nri_no_wasm exclude_graphdriver_btrfs exclude_graphdriver_zfs exclude_graphdriver_fuseoverlayfs exclude_disk_quota no_rdt grpcnotrace seccomp runc_nocriu urfave_cli_no_docs
# SMALL is the Makefile's. Compression of layers stays fast.
ENGINE_SMALL := $(SMALL) -gcflags=github.com/klauspost/compress/...=
ENGINE_MOD   = $(shell cd engine && go list -m -f '{{.Version}}' $(1))
# moby/v2 is tagged as a library; beta.24 is of the 29.8 line of the engine. The command line has a number of its own.
ENGINE_X     = -X github.com/moby/moby/v2/dockerversion.Version=29.8.0-$(lastword $(subst -, ,$(call ENGINE_MOD,github.com/moby/moby/v2))) -X github.com/moby/moby/v2/dockerversion.PlatformName=ros -X github.com/docker/cli/cli/version.Version=$(1)

# Modules of which parts are left out. See docs/adr/032-parts-of-modules.md. -modfile points the build at them; go.mod stays as it is.
ENGINE_KIT   = out/engine-src
ENGINE_PROXY = engine/internal/proxyprovider/proxyprovider.go
# A client of AWS has a method for each operation of its service, and the linker keeps what it must take for called by name:
# the exported ones. These are called; the others get names that nothing can call.
ENGINE_AWS   = cloudwatchlogs:CreateLogGroup|CreateLogStream|PutLogEvents sts:AssumeRole|AssumeRoleWithWebIdentity sso:GetRoleCredentials ssooidc:CreateToken signin:CreateOAuth2Token

.PHONY: engine
engine: $(ENGINE_OUT)/runc $(ENGINE_OUT)/containerd-shim-runc-v2 $(ENGINE_OUT)/dockerd

$(ENGINE_KIT)/go.mod: $(ENGINE_MODS) $(ENGINE_PROXY)
	@rm -rf $(@D) && mkdir -p $(@D) && cp engine/go.sum $(@D)/go.sum && cp engine/go.mod $@.new
	@set -e; copy() { \
		(cd engine && go mod download $$1); cp -r "$$(cd engine && go list -m -f '{{.Dir}}' $$1)" $(@D)/$$2; chmod -R u+w $(@D)/$$2; \
		echo "replace $$1 => ../$(@D)/$$2" >> $@.new; \
	}; \
	copy github.com/moby/buildkit buildkit; \
	rm $(@D)/buildkit/util/network/proxyprovider/*.go; cp $(ENGINE_PROXY) $(@D)/buildkit/util/network/proxyprovider/; \
	for s in $(foreach s,$(ENGINE_AWS),'$(s)'); do \
		name=$${s%%:*}; copy github.com/aws/aws-sdk-go-v2/service/$$name $$name; \
		ls $(@D)/$$name/api_op_*.go | grep -vE "api_op_($${s#*:}).go" | xargs sed -i -e 's/^func (c \*Client) \([A-Z]\)/func (c *Client) not\1/' -e '/^var _ .*APIClient = (\*Client)(nil)$$/d'; \
	done
	@mv $@.new $@

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
