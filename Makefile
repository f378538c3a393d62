# What people and .ci/run do with this repository. `make` is the quick round,
# `make ci` the whole gate.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules

GOLANGCI_LINT_VERSION := v2.15.0
FUZZTIME              ?= 20000x

BIN           := $(CURDIR)/.bin
GOLANGCI_LINT := $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION)

# The directories of the modules in go.work.
MODULES = $(shell go list -m -f '{{.Dir}}')

.DEFAULT_GOAL := quick

.PHONY: quick
quick: test vet fmt lint ## test, vet, fmt and lint

.PHONY: test
test: ## the tests of every module
	go test work

.PHONY: race
race: ## the tests again, raced, shuffled, uncached; the models have one goroutine, and nothing to race
	go test -race -shuffle=on -count=1 -timeout 20m -skip '^Test(Ablations|CustomerModel|Model)$$' work

.PHONY: vet
vet: ## go vet; among others, no newer standard library than go.mod says
	go vet work

.PHONY: fmt
fmt: ## fails on files that gofmt would change
	@unformatted=$$(gofmt -s -l .); \
	if [[ -n $$unformatted ]]; then echo "not gofmt -s: $$unformatted"; exit 1; fi

.PHONY: lint
lint: $(GOLANGCI_LINT) ## golangci-lint, by .golangci.yml
	@for dir in $(MODULES); do \
		(cd "$$dir" && echo "lint $$dir" && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...) || exit 1; \
	done

$(GOLANGCI_LINT):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

.PHONY: tidy
tidy: ## fails where go mod tidy would change something
	@for dir in $(MODULES); do \
		(cd "$$dir" && echo "tidy $$dir" && GOWORK=off go mod tidy -diff) || exit 1; \
	done

.PHONY: wall
wall: ## what the library packages may depend on
	.ci/wall

.PHONY: generate
generate: ## writes the mocks
	go generate work

.PHONY: generated
generated: ## fails if writing the generated files anew changes them
	@before=$$(grep -rl --include='*.go' '^// Code generated .* DO NOT EDIT\.$$' . | xargs sha256sum); \
	go generate work; \
	sha256sum --check <<<"$$before"

.PHONY: alone
alone: ## every module built and vetted without the workspace, the library tested, but for its proof, with its own, lowest versions
	@for dir in $(MODULES); do \
		(cd "$$dir" && echo "alone $$dir" && export GOWORK=off && go build ./... && go vet ./...) || exit 1; \
	done
	GOWORK=off go test -skip '^Test(Ablations|CustomerModel|Model|Mutants|Simulation)' ./...

.PHONY: fuzz
fuzz: ## every fuzz target, FUZZTIME runs or minutes each; at the end of a time Go before 1.27 may fail by itself (go.dev/issue/75804)
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort | { failed=; while IFS=: read -r file func; do \
		name=$${func#func }; echo "$${file%/*} $$name"; \
		go -C "$${file%/*}" test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x . </dev/null || failed+=" $${file%/*}.$$name"; \
	done; [[ -z $$failed ]] || { echo "failed:$$failed"; exit 1; }; }

.PHONY: demo
demo: ## the demo, by curl, as its contract has it
	.ci/demo

.PHONY: e2e
e2e: ## the pages in Chromium, offline; screenshots in artifacts/
	@[[ -x /usr/bin/chromium ]] || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; }
	cd internal/integration/e2e/web && npm ci --no-audit --no-fund && npm run build
	cd internal/integration && go vet -tags e2e ./e2e
	cd internal/integration && ARTIFACTS=$(CURDIR)/artifacts go test -tags e2e -count=1 -timeout 10m ./e2e

.PHONY: clients
clients: ## Stripe's own clients, of Node and of Go, against the fake as a program and against httpadapter's Stripe dialect
	cd internal/integration/node && npm ci --no-audit --no-fund
	cd internal/integration && go vet -tags clients ./clients
	cd internal/integration && go test -tags clients -count=1 -timeout 10m -v ./clients

.PHONY: openapi
openapi: ## the documents linted, every answer of the tests held against them, a TypeScript client typed by them
	cd internal/integration/openapi/typescript && npm ci --no-audit --no-fund && rm -rf generated dist && \
		npm run -s lint && npm run -s types && npm run -s build
	cd internal/integration && go vet -tags clients ./openapi
	@cd internal/integration && go test -tags clients -count=1 -timeout 10m -v ./openapi | grep -Ev '^(=== |    --- PASS)'

.PHONY: bench
bench: ## the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: model
model: ## the protocol's rules taken out one by one, each with the shortest way it then goes wrong
	go -C setupintent test -run '^Test(Model|CustomerModel|Ablations)$$' -count=1 -proof

PROOF = GOGC=400 go -C setupintent test -run '^Test(Model|CustomerModel|Ablations|Simulation|SimulationWithoutKeys|Mutants|Dead|Moves)$$' \
	-count=1 -timeout 48h -schedules=$(SCHEDULES) -wired=$(WIRED) -proof

.PHONY: prove
prove: SCHEDULES ?= 500000
prove: WIRED ?= 20000
prove: ## the model, its ablations, SCHEDULES schedules of the real core and WIRED over the fake Stripe, the mutants, the dead flights and the moves: docs/proof.md
	$(PROOF)

.PHONY: prove-long
prove-long: SCHEDULES ?= 50000000
prove-long: WIRED ?= $(shell expr $(SCHEDULES) / 50)
prove-long: ## as prove, for the night
	$(PROOF)

ON ?= ports

.PHONY: seed
seed: ## prints the schedule of SEED; ON=stripe: over the fake Stripe, ON=keyless: without keys
	go -C setupintent test -run '^TestSeed$$' -count=1 -v -seed=$(SEED) -on=$(ON)

PERMUTATIONS ?= 100000

.PHONY: storm
storm: ## PERMUTATIONS histories of webhooks dropped, doubled, late and in any order, over the real core
	@go test ./internal/proof/storm -count=1 -timeout 900s -v -permutations=$(PERMUTATIONS) | grep -Ev '^=== '

FORGERIES ?= 1000000

.PHONY: forged
forged: ## FORGERIES forged webhooks: none is accepted, and nobody hears of them
	@go test ./httpadapter -run '^TestForged$$' -count=1 -timeout 900s -v -forgeries=$(FORGERIES) | grep -Ev '^=== '

.PHONY: databases
databases: ## PostgreSQL and MariaDB, installed and started where they do not answer
	.ci/databases

CHECKS     ?= 100
OPERATIONS ?= 10000

.PHONY: conformance
conformance: ## the suites on memory, SQLite, PostgreSQL by two drivers, MariaDB, each store with its cases; CHECKS runs of the state machine, histories of OPERATIONS
	@.ci/databases
	@cd internal/integration/conformance && CI=true go test -count=1 -timeout 20m -args -report -rapid.checks=$(CHECKS) -operations=$(OPERATIONS)

KILLS ?= 200
DB    ?=

.PHONY: kill
kill: ## KILLS times kill -9 of an application on DB, one of postgres, mariadb and sqlite; empty: each
	@.ci/databases
	@cd internal/integration/kill && CI=true go test -count=1 -timeout 60m -run '^TestKill$$' -args -kills=$(KILLS) -db=$(DB) | grep -Ev '^(PASS|ok )'

ROWS ?= 10000
RATE ?= 100

.PHONY: sweep
sweep: ## two processes sweep ROWS rows of one PostgreSQL table, RATE calls/s each: one call a row, and nobody waits for it
	@.ci/databases
	@cd internal/integration/sweep && CI=true go test -count=1 -timeout 30m -v -args -rows=$(ROWS) -rate=$(RATE) -strict | grep -Ev '^=== '

.PHONY: speed
speed: ## a handler over PostgreSQL beside one without a database; ratios of one run
	@.ci/databases
	@cd internal/integration && CI=true go test -run '^$$' -bench . -benchtime=1x -timeout 15m ./speed

.PHONY: consumer
consumer: ## what an application's go.mod gains by the library
	.ci/consumer

.PHONY: ci
ci: ## the gate
	.ci/run

.PHONY: help
help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12
