# `make` alone prints what there is.
SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
FUZZTIME ?= 20s# for each fuzz target
COUNT    ?= 1# how often `make bench` repeats each benchmark
BENCH    ?= .# which benchmarks
LDFLAGS  ?= -s -w

# Debian packages that the tests need. gcc is for the race detector and for spin.
# Anything that a test starts (a browser, say) is added here and nowhere else.
# Node.js may come from elsewhere; testdeps/ and infra/infratest/ say what is
# installed with it: the storage emulator, the AMQP stand-in, the Bicep parser.
APT ?= gcc libc6-dev chromium fonts-dejavu-core spin

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: check
check: deps fmt-check vet arch lint test ## Everything that CI runs, in the same order

.PHONY: deps
deps: ## Install what the tests need; does nothing when all is there
	@missing=(); \
	for p in $(APT); do dpkg-query -W -f='$${db:Status-Status}' "$$p" 2>/dev/null | grep -qx installed || missing+=("$$p"); done; \
	command -v node >/dev/null || missing+=(nodejs); command -v npm >/dev/null || missing+=(npm); \
	if [ $${#missing[@]} -eq 0 ]; then echo "deps: all there"; \
	elif ! command -v apt-get >/dev/null; then echo "deps: no apt-get here; please provide: $${missing[*]}"; \
	else \
	  sudo=; [ "$$(id -u)" -eq 0 ] || sudo=sudo; \
	  $$sudo apt-get update -q </dev/null; \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qy --no-install-recommends "$${missing[@]}" </dev/null; \
	fi
	@$(GO) mod download
	@for d in testdeps infra/infratest; do ( cd $$d; \
	  if cmp -s package-lock.json node_modules/.installed; then exit 0; fi; \
	  npm ci --ignore-scripts --no-audit --no-fund </dev/null; \
	  cp package-lock.json node_modules/.installed ); done

.PHONY: fmt
fmt: ## Format every Go file
	@gofmt -s -w .

.PHONY: fmt-check
fmt-check: ## Fail when a Go file is not formatted
	@bad=$$(gofmt -s -l .); \
	if [ -n "$$bad" ]; then printf 'not formatted, run `make fmt`:\n%s\n' "$$bad"; exit 1; fi

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: arch
arch: ## The import table and the other rules of the tree (failover/archtest)
	$(GO) test ./failover/archtest

.PHONY: lint
lint: ## golangci-lint, when it is installed
	@if command -v golangci-lint >/dev/null; then golangci-lint run ./...; \
	else echo 'lint: golangci-lint is not installed; get version 2: $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0'; fi

.PHONY: test
test: deps ## All tests, under the race detector
	$(GO) test -race -timeout 15m ./...

.PHONY: race
race: ## The whole suite twice in random order under the race detector, uncached
	$(GO) test -race -count=2 -shuffle=on -timeout 30m ./...

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZTIME (20s)
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' "$$p" | grep '^Fuzz' || true); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) "$$p"; \
	  done; \
	done

.PHONY: models
models: ## The Spin models of docs/models: every verdict, with states and time
	$(GO) test -count=1 -v -run '^TestModels$$' ./docs/modelstest

.PHONY: bench
bench: ## The table of docs/performance.md, then benchmarks; BENCH=Fold COUNT=10 narrows and repeats
	$(GO) test -count 1 -v -run '^TestReport$$' -report ./bench
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

.PHONY: demo
demo: ## The program on a simulated estate: no account, no set-up
	$(GO) run . demo

.PHONY: build
build: ## bin/erfailover, static and stripped
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/erfailover .

.PHONY: package
package: ## dist/app.zip, ready for a function app on Linux
	@mkdir -p dist
	CGO_ENABLED=0 $(GO) run . package --out dist/app.zip

.PHONY: proof
proof: ## The simulator that tries to break the engine: seeds, crash sweeps, mutants; under 4 minutes
	GOGC=400 $(GO) test -v -count=1 -timeout 20m ./failover/proof -run 'TestProof|TestRegress|TestOraclesFire' -proof

.PHONY: readers
readers: ## Plant each bug of failover/proof/testdata/readers.txt and print what finds it; BUG=words narrows
	GOGC=400 $(GO) test -v -count=1 -timeout 6h ./failover/proof -run '^TestReaders$$' -readers -bug '$(BUG)'

.PHONY: nightly
nightly: ## The same with larger bounds and fresh seeds; FIRST=n chooses them
	GOGC=400 $(GO) test -v -count=1 -timeout 12h ./failover/proof -run 'TestProof|TestRegress|TestOraclesFire' -nightly -first $(or $(FIRST),$(shell date +%Y%m%d)0000)
