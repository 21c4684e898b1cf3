#!/usr/bin/env bash
# `make registry-login`: for oras, cosign and helm, which all read the same file of credentials.
set -euo pipefail
cd "$(dirname "$0")/.."
registry=$(sed -n 's|^  repository: \([^/]*\)/.*|\1|p' charts/hookgate/values.yaml)
export DOCKER_CONFIG=${DOCKER_CONFIG:-$HOME/.docker}
scripts/tool.sh release oras login "$registry" --username "${REGISTRY_USER:?}" --password-stdin <<<"${REGISTRY_PASSWORD:?}"
"$(tests/servers/build.sh helm)/helm" registry login "$registry" --username "$REGISTRY_USER" --password-stdin <<<"$REGISTRY_PASSWORD"
