#!/usr/bin/env bash
# `make publish`: pushes what `make image` wrote on each architecture, as one image for all of them, and the chart; signs
# both, and attests each image's bill of materials.
#
#   IMAGES=DIR      a folder for each architecture, with what `make image` wrote there
#   TAG=vX.Y.Z      what is released: it must be the chart's version
#   IMAGE, CHARTS   where to: by default the repository that the chart names, and `charts` beside it
#   COSIGN_KEY      a key to sign with; without one the signature is keyless, by the identity of the workflow
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${CARGO_TARGET_DIR:-target}")/release-files
version=$(sed -n 's/^appVersion: //p' charts/hookgate/Chart.yaml)
image=${IMAGE:-$(sed -n 's/^  repository: \([^ ]*\).*/\1/p' charts/hookgate/values.yaml)}
charts=${CHARTS:-${image%/*}/charts}
if [ "${TAG:-}" != "v$version" ]; then
  echo "TAG=${TAG:-} is not v$version, which charts/hookgate/Chart.yaml says" >&2; exit 2
fi
if [ "$(sed -n 's/^version: //p' charts/hookgate/Chart.yaml)" != "$version" ]; then
  echo "charts/hookgate/Chart.yaml: version and appVersion differ" >&2; exit 2
fi

tool() { scripts/tool.sh release "$@"; }
sign=(--yes)
# A key is for trying: nothing of it is written to the public log.
if [ -n "${COSIGN_KEY:-}" ]; then sign+=(--key "$COSIGN_KEY" --use-signing-config=false --tlog-upload=false); fi
# A registry of this machine speaks plain HTTP.
plain=()
case $image in localhost:* | 127.0.0.1:*) plain=(--plain-http) ;; esac

rm -rf "$out"
mkdir -p "$out"
each=()
for folder in "${IMAGES:?a folder for each architecture}"/*/; do
  layout=${folder}hookgate.tar
  name=$(tool oras manifest fetch --oci-layout "$layout:$version" --format go-template='{{.digest}}')
  tool oras cp --from-oci-layout "$layout@$name" ${plain[@]/#/--to} "$image@$name"
  tool cosign attest "${sign[@]}" --type spdxjson --predicate "${folder}hookgate.spdx.json" "$image@$name"
  architecture=$(tool oras manifest fetch-config "${plain[@]}" "$image@$name" | sed 's/.*"architecture":"\([a-z0-9]*\)".*/\1/')
  cp "${folder}hookgate.spdx.json" "$out/hookgate-$version-$architecture.spdx.json"
  cp "$layout" "$out/hookgate-$version-$architecture.tar"
  cp "${folder}NOTICE" "$out/NOTICE"
  each+=("$name")
done
tool oras manifest index create "${plain[@]}" "$image:$version" "${each[@]}"
image_digest=$(tool oras resolve "${plain[@]}" "$image:$version")
tool cosign sign "${sign[@]}" --recursive "$image@$image_digest"

helm=$(tests/servers/build.sh helm)/helm
"$helm" package charts/hookgate --destination "$out" >/dev/null
"$helm" push "$out/hookgate-$version.tgz" "oci://$charts" "${plain[@]}"
chart_digest=$(tool oras resolve "${plain[@]}" "$charts/hookgate:$version")
tool cosign sign "${sign[@]}" "$charts/hookgate@$chart_digest"

(cd "$out" && sha256sum -- * >SHA256SUMS)
tee -a "${GITHUB_OUTPUT:-/dev/null}" <<END
image=$image
image-digest=$image_digest
chart=$charts/hookgate
chart-digest=$chart_digest
END
