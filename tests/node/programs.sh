#!/usr/bin/env bash
# Unpacks containerd, runc, the CNI plugins and nftables from Debian's packages into the cache, and prints the folder. Nothing is
# installed on the machine. Exits with 3 where that cannot be.
set -euo pipefail
command -v apt-get >/dev/null && command -v dpkg >/dev/null && [ "$(id -u)" = 0 ] || exit 3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/node
packages=(containerd runc containernetworking-plugins nftables libnftables1 libnftnl11 libjansson4 libedit2 libmnl0)
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi
if ! [ -x "$folder/root/usr/bin/containerd" ]; then
  work=$(mktemp -d "$folder/.new.XXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && { apt-get download -qq "${packages[@]}" || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }; }) >&2
  for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
  rm -rf "$folder/root"
  mv "$work/root" "$folder/root"
fi
echo "$folder/root"
