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
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build landbridge and landbridge-lab into bin/
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/ ./cmd/...

.PHONY: test
test: ## run every test, against a real API server too, with the race detector
	@$(GO) run ./cmd/landbridge-lab build
	$(GO) test -race -count=1 -timeout 30m ./...

.PHONY: lab
lab: ## play the main job in front of you, in namespaces of its own
	@$(GO) run ./cmd/landbridge-lab story

.PHONY: bench
bench: ## run the benchmarks of the parts
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
