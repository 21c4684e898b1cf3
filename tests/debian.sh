#!/usr/bin/env bash
# debian.sh NAME PACKAGE…: unpacks Debian packages into the cache, and prints the folder. Nothing is installed on the machine.
# Exits with 3 where that cannot be: no Debian, or not root, who alone may use what is unpacked.
set -euo pipefail
command -v apt-get >/dev/null && command -v dpkg >/dev/null && [ "$(id -u)" = 0 ] || exit 3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/$1
shift
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi
if [ "$(cat "$folder/.packages" 2>/dev/null)" != "$*" ]; then
  work=$(mktemp -d "$folder/.new.XXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && { apt-get download -qq "$@" || { apt-get update -qq && apt-get download -qq "$@"; }; }) >&2
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
  rm -rf "$folder/root"
  mv "$work/root" "$folder/root"
  echo "$*" >"$folder/.packages"
fi
echo "$folder/root"
