#!/usr/bin/env bash
# tool.sh SET NAME [ARGUMENT…]: runs a program that packaging/tools/SET/go.mod pins; Go builds it once and keeps it.
set -euo pipefail
set=$1 name=$2
shift 2
program=$(GOWORK=off GOFLAGS=-mod=readonly CGO_ENABLED=0 go -C "$(dirname "$0")/../packaging/tools/$set" tool -n "$name")
exec "$program" "$@"
