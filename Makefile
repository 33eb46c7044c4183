# make help lists the targets. Every one sets up what it needs, once; a second run finds its stamps and starts at once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DATA ?= moorage-data
LISTEN ?= 127.0.0.1:4510
JOBS ?= 2
KILLS ?= 1000
LOAD ?= 300
AWS_SDK_GO := github.com/aws/aws-sdk-go-v2
AWS_SDK_JS := @aws-sdk/client-ecr@3.1169.0

# Programs that Go builds into .cache/bin, each by GO_<its name>. A new one is a line here and a word below: among those of
# the slow tests, or, when a machine that has never built it needs over a minute, of make clients alone.
GO_crane := github.com/google/go-containerregistry/cmd/crane@v0.22.1
GO_oras := oras.land/oras/cmd/oras@v1.3.6
GO_regctl := github.com/regclient/regclient/cmd/regctl@v0.11.7
GO_docker-credential-ecr-login := github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli/docker-credential-ecr-login@v0.12.0
GO_helm := helm.sh/helm/v3/cmd/helm@v3.22.0
GO_registry := github.com/distribution/distribution/v3/cmd/registry@v3.1.2
GO_conformance := github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111
CONTAINERD := github.com/containerd/containerd/v2/cmd
GO_containerd := $(foreach program,containerd ctr,$(CONTAINERD)/$(program)@v2.4.2)
GO_dockerd := github.com/moby/moby/v2/cmd/dockerd@v2.0.0-beta.24
GO_crictl := sigs.k8s.io/cri-tools/cmd/crictl@v1.34.0
GO_cosign := github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
GO_buildx := github.com/docker/buildx/cmd/buildx@v0.38.2
GO_SLOW := crane oras regctl docker-credential-ecr-login
GO_ON_REQUEST := helm containerd dockerd crictl cosign buildx

# go install refuses a module that replaces others, so these are built from modules made here: MODULE_<name> and its programs.
MODULE_ecr-credential-provider := k8s.io/cloud-provider-aws@v1.37.1
PROGRAMS_ecr-credential-provider := k8s.io/cloud-provider-aws/cmd/ecr-credential-provider
MODULE_buildkit := github.com/moby/buildkit@v0.34.2
PROGRAMS_buildkit := github.com/moby/buildkit/cmd/buildkitd github.com/moby/buildkit/cmd/buildctl
MODULES_ON_REQUEST := ecr-credential-provider buildkit

# These are built in their own source, for their modules replace others that they need.
TOFU := github.com/opentofu/opentofu@v1.12.6
# The provider's tags are not those of a Go module; this is its state of 2 June 2026. All of its services take hours to build.
PROVIDER := github.com/hashicorp/terraform-provider-aws@v1.60.1-0.20260602190131-5f2286d6d836
PROVIDER_SERVICES := ecr|iam|sts

# What the slow tests run: a real Docker Engine, a real PostgreSQL, real clients. None of it is left running.
TEST_PACKAGES := awscli docker.io iptables nftables containerd runc busybox-static skopeo postgresql iproute2 podman buildah curl systemd python3-venv sudo procps
BENCH_PACKAGES := wrk
# The peers of the benchmarks are unpacked, not installed: their packages would start services.
BENCH_PEERS := docker-registry nginx

.PHONY: help serve check format types pages fast-tests slow-tests test crash clients conformance bench clean debian-test debian-bench

help: ## list these targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "%-18s%s\n", $$1, $$2 }'

serve: .venv/.runtime ## run Moorage on 127.0.0.1:4510, its data in moorage-data/
	exec $(BIN)/moorage serve --data $(DATA) --listen $(LISTEN)

check: .venv/.dev ## format, lint, types, rooms and the fast tests; needs Python packages only
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -m "not slow and not on_request" -n $(JOBS)

format: .venv/.dev ## rewrite the sources into the house's format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

types: .venv/.dev ## mypy alone
	$(BIN)/mypy

pages: .venv/.dev ## write the tables on pages that are made from the source
	$(BIN)/python -m tests.house.pages

fast-tests: .venv/.dev ## the tests that need nothing but Python
	$(BIN)/pytest -m "not slow and not on_request" -n $(JOBS)

# What the tests with real engines and clients need, and what those need besides that are run on request.
SLOW_NEED := .venv/.dev .cache/awscli/.ready .cache/sdks/.ready $(GO_SLOW:%=.cache/.go-%) .cache/.aws-sdk-go .cache/.aws-sdk-js .cache/.maven .cache/wheels/.ready .cache/ansible/.ready .cache/peers/.ready debian-test
CLIENTS_NEED := $(GO_ON_REQUEST:%=.cache/.go-%) $(MODULES_ON_REQUEST:%=.cache/.module-%) .cache/.tofu .cache/.terraform-provider-aws

slow-tests: $(SLOW_NEED) ## the tests with real engines and clients
	$(BIN)/pytest -m slow -n $(JOBS) --durations=5

clients: $(SLOW_NEED) $(CLIENTS_NEED) ## every client, also those that take minutes to install; writes docs/clients.md
	$(BIN)/pytest -m client -n $(JOBS) --durations=5 tests/clients --clients-table docs/clients.md

crash: .venv/.dev debian-test ## kill the server a thousand times under load, and collect beside minutes of pushes, pulls and deletes
	$(BIN)/pytest tests/durability --kills $(KILLS) --load $(LOAD)

conformance: .venv/.dev .cache/.go-conformance ## the OCI's conformance suite, everything on; writes docs/conformance.md
	$(BIN)/python -m tests.conformance.suite $(GO_conformance)
	$(BIN)/python -m tests.house.pages

test: ## everything: sets up Debian packages and real clients, then runs all tests
	$(MAKE) --no-print-directory fast-tests
	$(MAKE) --no-print-directory slow-tests

bench: .venv/.dev .cache/moto/.ready .cache/peers/.ready .cache/.go-registry .cache/bin/load debian-bench ## peers and limits beside Moorage, in one run
	$(BIN)/python -m benchmarks.run $(BENCH)

clean: ## remove what these targets made, except the data of make serve
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist .coverage

# --- Python ------------------------------------------------------------------------------------------------------------

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another one: make PYTHON=..." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	"$(PYTHON)" -m venv .venv

.venv/.runtime: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The AWS CLI, moto and the SDKs pin libraries of their own, hence an environment each.
.cache/awscli/.ready: requirements-awscli.txt | .venv/bin/python
	"$(PYTHON)" -m venv .cache/awscli
	.cache/awscli/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-awscli.txt
	@touch $@

.cache/sdks/.ready: requirements-sdks.txt | .venv/bin/python
	"$(PYTHON)" -m venv .cache/sdks
	.cache/sdks/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-sdks.txt
	@touch $@

.cache/moto/.ready: requirements-bench.txt | .venv/bin/python
	"$(PYTHON)" -m venv .cache/moto
	.cache/moto/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

# Of the package that holds every collection (50 MiB), the two that are tried are kept.
.cache/ansible/.ready: Makefile | .venv/bin/python
	@rm -rf .cache/ansible
	"$(PYTHON)" -m venv .cache/ansible
	.cache/ansible/bin/python -m pip install --quiet --disable-pip-version-check ansible-core==2.19.5 boto3
	.cache/ansible/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest .cache/ansible/wheel ansible==12.3.0
	@cd .cache/ansible && ./bin/python -c 'import glob, zipfile; wheel = zipfile.ZipFile(*glob.glob("wheel/*.whl")); \
	  wheel.extractall("collections", [name for name in wheel.namelist() if name.startswith(("ansible_collections/amazon/aws/", "ansible_collections/community/aws/"))])'
	@rm -rf .cache/ansible/wheel
	@touch $@

# --- other programs ----------------------------------------------------------------------------------------------------

# Without Go these are not there; their tests then fail with a sentence that says so, and the other tests still run.
.cache/.go-%: Makefile
	@mkdir -p .cache/bin
	@if ! command -v go >/dev/null; then echo "go is missing, so there is no $* and its tests will fail" >&2; \
	elif echo "go install $(GO_$*)" && \
	  CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN="$(CURDIR)/.cache/bin" go install $(GO_$*); then touch $@; \
	else echo "$* was not built (it needs Go 1.26 or newer), so its tests will fail" >&2; fi

.cache/bin/load: benchmarks/load.go
	@mkdir -p .cache/bin
	@command -v go >/dev/null || { echo "Go 1.26 or newer is needed for the benchmarks" >&2; exit 1; }
	CGO_ENABLED=0 GOTOOLCHAIN=local go build -o $@ $<

.cache/.module-%: Makefile
	@rm -rf .cache/$* && mkdir -p .cache/bin .cache/$*
	@if ! command -v go >/dev/null; then echo "go is missing, so there is no $* and its tests will fail" >&2; \
	elif echo "go build $(MODULE_$*)" && cd .cache/$* && GOTOOLCHAIN=local go mod init moorage.invalid/$* && \
	  GOTOOLCHAIN=local go get $(MODULE_$*) && \
	  CGO_ENABLED=0 GOTOOLCHAIN=local go build -mod=mod -o ../bin/ $(PROGRAMS_$*); then touch ../.module-$*; \
	else echo "$* was not built (it needs Go 1.26 or newer), so its tests will fail" >&2; fi

.cache/.tofu: Makefile
	@mkdir -p .cache/bin
	@if ! command -v go >/dev/null; then echo "go is missing, so there is no OpenTofu and its tests will fail" >&2; \
	elif echo "go build $(TOFU)" && cd "$$($(call source_of,$(TOFU)))" && \
	  CGO_ENABLED=0 GOTOOLCHAIN=local go build -ldflags "-X $(firstword $(subst @, ,$(TOFU)))/version.dev=no" -o "$(CURDIR)/.cache/bin/" ./cmd/tofu; then touch "$(CURDIR)/$@"; \
	else echo "OpenTofu was not built (it needs Go 1.26 or newer), so its tests will fail" >&2; fi

# The two files that name every service are shortened to the few that are tried. S3 is asked for by the provider's own settings.
.cache/.terraform-provider-aws: Makefile
	@rm -rf .cache/terraform-provider-aws && mkdir -p .cache/bin
	@if ! command -v go >/dev/null; then echo "go is missing, so there is no AWS provider and its tests will fail" >&2; \
	elif echo "go build $(PROVIDER)" && cp -r "$$($(call source_of,$(PROVIDER)))" .cache/terraform-provider-aws && \
	  chmod -R u+w .cache/terraform-provider-aws && cd .cache/terraform-provider-aws && \
	  perl -ni -e 'print unless m{internal/service/(\w+)"|^\s+(\w+)\.ServicePackage\(ctx\)} && ($$1 // $$2) !~ /^($(PROVIDER_SERVICES))$$/' \
	    internal/provider/sdkv2/service_packages_gen.go && \
	  perl -0pi -e 'sub kept { my ($$text, $$name) = @_; $$name =~ /^($(PROVIDER_SERVICES)|s3)$$/ ? $$text : "" } \
	    s{^(func [^\n]*\*(\w+)\.Client \{\n.*?^\}\n\n?)}{kept($$1, $$2)}gmse; s{^(\t"[^"\n]*/aws-sdk-go-v2/service/(\w+)"\n)}{kept($$1, $$2)}gme' \
	    internal/conns/awsclient_gen.go && \
	  CGO_ENABLED=0 GOTOOLCHAIN=local go build -o ../bin/ . && cd .. && rm -rf terraform-provider-aws; then touch "$(CURDIR)/$@"; \
	else echo "the AWS provider was not built (it needs Go 1.26 or newer), so its tests will fail" >&2; fi

# Prints the folder that Go has fetched a module to.
source_of = go mod download -json $(1) | sed -nE 's/^\t"Dir": "(.*)",$$/\1/p'

# The modules are made here, not kept in the repository: what they hold is of the registry that they came from.
.cache/.aws-sdk-go: Makefile
	@rm -rf .cache/aws-sdk-go && mkdir -p .cache/aws-sdk-go
	@if ! command -v go >/dev/null; then echo "go is missing, so the test of the AWS SDK for Go will fail" >&2; \
	elif cd .cache/aws-sdk-go && cp ../../tests/clients/programs/ecr.go . && GOTOOLCHAIN=local go mod init moorage.invalid/ecr && \
	  GOTOOLCHAIN=local go get $(AWS_SDK_GO)/service/ecr@v1.67.5 $(AWS_SDK_GO)/config@v1.33.18 && \
	  CGO_ENABLED=0 GOTOOLCHAIN=local go build -mod=mod -o ecr . && rm ecr.go; then touch ../.aws-sdk-go; \
	else echo "the AWS SDK for Go was not fetched, so its test will fail" >&2; fi

.cache/.aws-sdk-js: Makefile
	@rm -rf .cache/node && mkdir -p .cache/node
	@if ! command -v npm >/dev/null; then echo "npm is missing, so the test of the AWS SDK for JavaScript will fail" >&2; \
	elif cd .cache/node && npm install --silent --no-package-lock --no-audit --no-fund $(AWS_SDK_JS); then touch ../.aws-sdk-js; \
	else echo "the AWS SDK for JavaScript was not fetched, so its test will fail" >&2; fi

# The plugins with all they need, for a build that has no network. They go where Maven keeps what it fetched.
.cache/.maven: docs/examples/usermgmt/pom.xml
	@rm -rf .cache/usermgmt && mkdir -p .cache && cp -r docs/examples/usermgmt .cache/usermgmt
	@if ! command -v mvn >/dev/null; then echo "mvn is missing, so the walk-through with Maven will fail" >&2; \
	elif mvn --quiet --batch-mode --file .cache/usermgmt clean package jib:buildTar -Ddockerfile.skip=true; then touch $@; \
	else echo "Maven's plugins were not fetched, so the walk-through with Maven will fail" >&2; fi

# What the pages on systemd and containers install, on machines of the tests' own that have no network.
.cache/wheels/.ready: requirements.txt | .venv/bin/python
	@rm -rf .cache/wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --wheel-dir .cache/wheels -r requirements.txt hatchling
	@touch $@

debian-test:
	@$(call debian,$(TEST_PACKAGES))

debian-bench:
	@$(call debian,$(BENCH_PACKAGES))

.cache/peers/.ready: Makefile
	@rm -rf .cache/peers && mkdir -p .cache/peers
	cd .cache/peers && { apt-get download -q $(BENCH_PEERS) || { $(AS_ROOT) apt-get update -q; apt-get download -q $(BENCH_PEERS); }; }
	@for package in .cache/peers/*.deb; do dpkg -x "$$package" .cache/peers; done
	@rm .cache/peers/*.deb
	@touch $@

AS_ROOT := $(shell test "$$(id -u)" = 0 || echo sudo)

# Installs what is missing of the packages named. RUNLEVEL=1 and the cluster file keep their services from being set up.
define debian
missing=""; for package in $(1); do \
  [ "$$(dpkg-query -W -f='$${db:Status-Status}' "$$package" 2>/dev/null || true)" = installed ] || missing="$$missing $$package"; \
done; \
if [ -n "$$missing" ]; then \
  command -v apt-get >/dev/null || { echo "not a Debian machine; these programs are needed:$$missing" >&2; exit 1; }; \
  echo "apt-get install$$missing"; \
  $(AS_ROOT) mkdir -p /etc/postgresql-common/createcluster.d; \
  echo "create_main_cluster = false" | $(AS_ROOT) tee /etc/postgresql-common/createcluster.d/moorage.conf >/dev/null; \
  $(AS_ROOT) apt-get update -q; \
  $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -q -y --no-install-recommends $$missing </dev/null; \
fi
endef
