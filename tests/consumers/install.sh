#!/bin/sh
# Builds the programs of examples/consumers with what they need into a folder of the cache, once for each version of them, and
# prints the folder.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
programs=$(cd "$here/../../examples/consumers" && pwd)
for tool in go node npm python3; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: the consumers of examples/consumers need it" >&2; exit 1; }
done
python3 -m pip --version >/dev/null || { echo "pip is missing: install it for python3" >&2; exit 1; }
if command -v sha256sum >/dev/null; then sha=sha256sum; else sha='shasum -a 256'; fi
hash=$(cd "$programs" && cat -- * | $sha | cut -c1-16)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/consumers/$hash"
if [ ! -d "$folder" ]; then
    mkdir -p "$(dirname "$folder")"
    building=$(mktemp -d "$folder.XXXXXX")
    trap 'rm -rf "$building"' EXIT
    cp "$programs"/* "$building/"
    (cd "$building" && GOWORK=off CGO_ENABLED=0 go build -trimpath -o claimed-go . >&2)
    (cd "$building" && npm ci --ignore-scripts --no-audit --no-fund --silent >&2)
    python3 -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --root-user-action ignore \
        --target "$building/python" -r "$building/requirements.txt" >&2
    # Whoever is first wins; the other folder is removed.
    mv "$building" "$folder" 2>/dev/null || true
    # Moved into a folder that another one had put there.
    rm -rf "$folder/$(basename "$building")"
    [ -x "$folder/claimed-go" ]
fi
echo "$folder"
