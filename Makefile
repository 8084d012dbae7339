# Landbridge. `make help` lists the targets.
SHELL := /bin/bash
GO    ?= go

# Tools are built once into the cache that the test environment uses too.
CACHE        := $(or $(LANDBRIDGE_CACHE),$(shell $(GO) env GOCACHE)/../landbridge)
LINT_VERSION := v2.15.0
LINT         := $(CACHE)/golangci-lint-$(LINT_VERSION)/golangci-lint

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build landbridge and landbridge-lab into bin/
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/ ./cmd/...

.PHONY: test
test: ## run every test, against a real API server too, with the race detector
	@$(GO) run ./cmd/landbridge-lab build
	$(GO) test -race -count=1 -timeout 30m ./...

.PHONY: chart
chart: $(LINT) ## check the Helm chart, its alerts and its dashboard, and install it on a real API server
	@$(GO) run ./cmd/landbridge-lab build
	cd charts && $(GO) vet ./... && $(LINT) run --config ../.golangci.yml ./... && $(GO) test -count=1 -timeout 20m ./...

.PHONY: image
image: ## build the container image for amd64 and arm64 into bin/landbridge-image.tar
	@$(GO) run ./cmd/landbridge-lab image

.PHONY: deb
deb: ## build the agent's Debian packages for amd64 and arm64 into bin/
	@$(GO) run ./cmd/landbridge-lab deb

.PHONY: generate
generate: ## write anew what is generated: pages of reference, and of the chart rights, policy and README
	$(GO) test . ./cmd/landbridge -run Generated -update
	cd charts && $(GO) test . -run Readme -update

.PHONY: lab
lab: ## play the main job and a migration in front of you, in namespaces of its own
	@$(GO) run ./cmd/landbridge-lab story

.PHONY: e2e
e2e: ## install the image by its chart on real nodes, and go through what happens to real pods under load (root)
	@$(GO) run ./cmd/landbridge-lab e2e $(E2E_FLAGS)

.PHONY: bench
bench: ## measure what is promised in numbers, and print a table (half an hour)
	@$(GO) run ./cmd/landbridge-lab bench

.PHONY: bench-parts
bench-parts: ## run all benchmarks of the parts
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: lint
lint: $(LINT) ## check the code's style and mistakes
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(LINT) run ./...

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION), once (a few minutes)"
	@mkdir -p $(@D)
	@start=$$SECONDS; GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION) \
		&& echo "built golangci-lint in $$((SECONDS-start)) s"

.PHONY: clean
clean: ## remove what was built into bin/
	rm -rf bin
