# Everything a developer needs; each target does its own set-up on a machine with Rust, Go and a C compiler, and says what is missing.
# Build output goes to a folder that every checkout shares, so that a second run is quick.

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hookgate
export CARGO_TARGET_DIR ?= $(CACHE)/target
# Most tests wait for servers that they start.
THREADS := $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
HOOKGATE := $(CARGO_TARGET_DIR)/debug/hookgate

.PHONY: help demo demo-cluster test torture lint audit scan crds chart reference image publish registry-login bench bench-gate clean

help:            ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo:            ## Build, start NATS and the receiver, send one delivery of each vendor, show the events
	@scripts/needs.sh cargo go cc
	cargo build --locked
	@scripts/demo.sh $(HOOKGATE)

demo-cluster:    ## The chart on a real node: installs, sends a signed delivery, shows its event (root on Debian; KEEP=1: goes on until Return)
	@scripts/needs.sh cargo go cc
	cargo test --locked --quiet --test node -- --demo

test:            ## Format, clippy with warnings as errors, all tests on real servers (needs Go, Node.js and a C compiler)
	@scripts/needs.sh cargo go cc
	@$(MAKE) --no-print-directory lint
	@tests/servers/build.sh >/dev/null
	@tests/asyncapi/install.sh >/dev/null
	RUST_TEST_THREADS=$(THREADS) cargo test --locked

torture:         ## Kill, pause and cut off Hookgate and NATS under load: KILLS=2000 EVENTS=10000000 SECONDS=7200 SEED=1 CASES=1000000 FLAGS=--release
	@scripts/needs.sh cargo go cc
	@tests/servers/build.sh nats-server etcd kube-apiserver kubectl >/dev/null
	HOOKGATE_SPOOL_CASES=$(or $(CASES),100000) cargo test --locked $(FLAGS) --lib deliver::spool::model
	HOOKGATE_TORTURE_KILLS=$(or $(KILLS),400) HOOKGATE_TORTURE_EVENTS=$(or $(EVENTS),1000000) \
	HOOKGATE_TORTURE_SECONDS=$(or $(SECONDS),3600) $(if $(SEED),HOOKGATE_TORTURE_SEED=$(SEED)) \
	cargo test --locked $(FLAGS) --test it torture:: -- --nocapture --test-threads=1

lint:            ## Format and clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

audit:           ## Licences, bans, sources and advisories of dependencies (needs cargo-deny)
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check bans licenses sources
	@cargo deny --locked check advisories || { echo "Not fetched, or not well: the last snapshot is judged."; \
	  cargo deny --locked --offline check advisories; }

scan:            ## Published vulnerabilities of what is locked, or of a release's bill of materials: BILL=FILE.spdx.json
	@scripts/needs.sh go
	scripts/tool.sh scan osv-scanner scan source --lockfile $(or $(BILL),Cargo.lock)

crds:            ## Write crds/ and the chart's copy anew
	@cargo run --locked --quiet -- crds --write crds
	@cp crds/*.yaml charts/hookgate/files/crds/

chart:           ## Write the table of values in the chart's README anew
	@HOOKGATE_WRITE_README=1 cargo test --locked --quiet --test it the_readme_explains_every_value >/dev/null

reference:       ## Write docs/api.md, the reference of the API, anew from the CRDs
	@HOOKGATE_WRITE_REFERENCE=1 cargo test --locked --quiet --test it the_reference_is_what_the_crds_say >/dev/null

image:           ## An OCI image of the release binary: $CARGO_TARGET_DIR/image/hookgate.tar; PROFILE=debug packs that of the tests
	@scripts/needs.sh cargo cc
	@PROFILE='$(or $(PROFILE),release)' REVISION='$(REVISION)' ROOT='$(ROOT)' scripts/image.sh

publish:         ## Push image and chart of TAG=vX.Y.Z and sign them: IMAGES=DIR IMAGE=registry/name COSIGN_KEY=FILE
	@scripts/needs.sh go
	@IMAGES='$(IMAGES)' TAG='$(TAG)' IMAGE='$(IMAGE)' CHARTS='$(CHARTS)' COSIGN_KEY='$(COSIGN_KEY)' scripts/publish.sh

registry-login:  ## Log in with REGISTRY_USER and REGISTRY_PASSWORD of the environment, to push and to sign
	@scripts/registry-login.sh

bench:           ## Figures, beside a bare axum receiver in the same run
	@tests/servers/build.sh nats-server >/dev/null
	cargo bench --locked

bench-gate:      ## Fail where the request line misses a target: nine turns of each row
	@tests/servers/build.sh nats-server >/dev/null
	cargo bench --locked --bench receiver -- --rounds 9 --gate

clean:           ## Forget build output and built servers
	rm -rf $(CACHE)
