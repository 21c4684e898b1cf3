#!/usr/bin/env bash
# Unpacks buildah from Debian's packages into the cache, and prints a command that runs it. Nothing is installed on the machine.
# Exits with 3 where that cannot be: no Debian, or nobody but root may build here.
set -euo pipefail
if command -v buildah >/dev/null; then echo buildah; exit; fi
command -v apt-get >/dev/null && command -v dpkg >/dev/null && [ "$(id -u)" = 0 ] || exit 3
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/buildah
packages=(buildah libgpgme11 libassuan0 libdevmapper1.02.1 libsubid4 libseccomp2 libselinux1 libudev1
  golang-github-containers-common golang-github-containers-image)
mkdir -p "$folder"
exec 9>"$folder/.lock"
if command -v flock >/dev/null; then flock 9; fi
if ! [ -x "$folder/run" ]; then
  work=$(mktemp -d "$folder/.new.XXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && { apt-get download -qq "${packages[@]}" || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }; }) >&2
  rm -rf "$folder/root"
  for package in "$work"/*.deb; do dpkg -x "$package" "$folder/root"; done
  libraries=$(cd "$folder/root" && find "$PWD" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
  cat >"$work/run" <<END
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $folder/root/usr/bin/buildah "\$@"
END
  chmod +x "$work/run"
  mv "$work/run" "$folder/run"
fi
echo "$folder/run"
