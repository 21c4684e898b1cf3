#!/bin/sh
# Installs the libraries that sign into a folder of the cache, once for each version of the lists, and prints the folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for tool in node npm python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: the signers of vendors' libraries need it" >&2; exit 1; }
done
python3 -m pip --version >/dev/null || { echo "pip is missing: install it for python3" >&2; exit 1; }
hash=$(cat "$here/package-lock.json" "$here/requirements.txt" | sha256sum | cut -c1-16)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/sdk/$hash"
if [ ! -d "$folder" ]; then
    mkdir -p "$(dirname "$folder")"
    building=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$building"' EXIT
    cp "$here/package.json" "$here/package-lock.json" "$building/"
    (cd "$building" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
    # Their dependencies are for calling the vendors; signing needs none of them.
    python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --root-user-action ignore \
        --target "$building/python" -r "$here/requirements.txt" >&2
    # Whoever is first wins; the other folder is removed.
    mv -T "$building" "$folder" 2>/dev/null || [ -d "$folder" ]
fi
echo "$folder"
