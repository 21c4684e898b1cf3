#!/usr/bin/env bash
# `make image`: builds the binary and packs it. A release binary is one file that loads nothing; a debug one, which the
# tests build anyway, is packed with the C library's files of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=$1
target=${CARGO_TARGET_DIR:-target}
host=$(rustc -vV | sed -n 's/^host: //p')

case $profile in
release)
  # With --target the flags concern the binary alone, and not what runs during the build.
  RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" cargo build --locked --release --target "$host" --bin hookgate
  program=$target/$host/release/hookgate
  ;;
debug)
  cargo build --locked --bin hookgate
  program=$target/debug/hookgate
  ;;
*) echo "PROFILE=$profile: release or debug" >&2; exit 2 ;;
esac

revision=$(git rev-parse HEAD 2>/dev/null || true)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
cargo run --locked --quiet -p hookgate-packaging -- --program "$program" --output "$target/image" --revision "$revision"
