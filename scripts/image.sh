#!/usr/bin/env bash
# `make image`: builds the binary and packs it. A release binary is one file that loads nothing; a debug one, which the
# tests build anyway, is packed with the C library's files of this machine.
#
#   PROFILE=release|debug   ROOT=DIR: the image's files there too   REVISION=COMMIT: what is built, where there is no git
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
host=$(rustc -vV | sed -n 's/^host: //p')

case ${PROFILE:-release} in
release)
  # Where sources, crates and build output lie is nobody's business, and makes no other binary.
  flags="-C target-feature=+crt-static"
  for path in "$PWD=/source" "${CARGO_HOME:-$HOME/.cargo}=/cargo" "$target=/target" "$(rustc --print sysroot)=/rust"; do
    flags+=" --remap-path-prefix=$path"
  done
  # With --target the flags concern the binary alone, and not what runs during the build.
  RUSTFLAGS="${RUSTFLAGS:-} $flags" cargo build --locked --release --target "$host" --bin hookgate
  program=$target/$host/release/hookgate
  ;;
debug)
  cargo build --locked --bin hookgate
  program=$target/debug/hookgate
  ;;
*) echo "PROFILE=$PROFILE: release or debug" >&2; exit 2 ;;
esac

REVISION=${REVISION:-$(git rev-parse HEAD 2>/dev/null || true)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
cargo run --locked --quiet -p hookgate-packaging -- --program "$program" --target "$host" --output "$target/image" \
  --revision "$REVISION" ${ROOT:+--root "$ROOT"}
