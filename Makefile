# What to run. `make` alone says it.
#   make test      everything: unit, house and interoperation tests
#   make check     what CI runs
#   make foreign   clients that Debian has not, from PyPI and npm, and schemathesis against the API
#   make demo      200 messages through a private little internet
#   make bench     Repute and Postfix side by side

CARGO ?= cargo
.DEFAULT_GOAL := help
.PHONY: help test unit interop foreign packages check demo bench generate

help:
	@sed -n 's/^#   //p' Makefile

test: unit interop

# nextest starts every test in its own process, all at once; plain `cargo test` does as well.
unit:
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	    $(CARGO) nextest run --workspace --locked --no-fail-fast; \
	else \
	    $(CARGO) test --workspace --locked --no-fail-fast; \
	fi

# With real programs: swaks, msmtp, PHP, Postfix, opendkim, opendmarc, BIND.
# Everything is built as `unit` builds it, so that nothing is built twice for other features.
interop: packages
	$(CARGO) build --workspace --all-targets --locked
	$(CARGO) test --workspace --locked --test bind --test setup_bind -- --ignored
	tests/interop/run

# Clients from PyPI and npm, installed under target/foreign: needs the internet once.
foreign:
	$(CARGO) build --workspace --all-targets --locked
	tests/interop/foreign --install

# Installs what is missing where it may (Debian, root); else says what to install.
packages:
	@tests/packages

check:
	.ci/run

demo:
	$(CARGO) run --release --locked -- demo

bench:
	bench/run

generate:
	$(CARGO) run --locked -p xtask -- generate
