#!/usr/bin/env bash
# Installs what judges documents (the public AsyncAPI parser, a JSON Schema validator) once per pinned set, and prints the
# folder that holds it as its last line. The folder is named after package.json and its lock: it survives checkouts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if command -v sha256sum >/dev/null; then sha=(sha256sum); else sha=(shasum -a 256); fi
pins=$(cat package.json package-lock.json | "${sha[@]}")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/judges/${pins:0:12}

if ! [ -e "$folder/.whole" ]; then
	for program in node npm; do
		if ! command -v "$program" >/dev/null; then
			echo "tests/asyncapi/install.sh: $program is needed: install Node.js 20 or newer (https://nodejs.org)." >&2
			exit 1
		fi
	done
	mkdir -p "$folder"
	exec 9>"$folder/.lock"
	if command -v flock >/dev/null; then flock 9; fi
	if ! [ -e "$folder/.whole" ]; then
		echo "tests/asyncapi/install.sh: installing the AsyncAPI parser (only the first time)" >&2
		cp package.json package-lock.json "$folder/"
		# No script of a package runs: none of these needs one.
		(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
		touch "$folder/.whole"
	fi
fi
echo "$folder"
