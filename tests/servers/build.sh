#!/usr/bin/env bash
# Builds the real servers that tests run, once per pinned set, and prints the folder that holds them as its last line.
#
#   tests/servers/build.sh [NAME...]      all of them without a NAME; progress goes to stderr
#
# The folder is named after go.mod and go.sum: it survives checkouts, and a new pin gets a new one. Programs that are
# already on the machine are linked instead of built: etcd, kube-apiserver and kubectl from $KUBEBUILDER_ASSETS, and
# nats-server from PATH. Only these: a kubectl or helm on PATH may be a wrapper, or far from the pinned version.
set -euo pipefail

all=(nats-server etcd kube-apiserver kubectl helm kube-controller-manager kube-scheduler kwok kubelet kube-proxy)

cd "$(dirname "${BASH_SOURCE[0]}")"
if command -v sha256sum >/dev/null; then sha=(sha256sum); else sha=(shasum -a 256); fi
pins=$(cat go.mod go.sum | "${sha[@]}")
folder=${XDG_CACHE_HOME:-$HOME/.cache}/hookgate/servers/${pins:0:12}

say() { echo "tests/servers/build.sh: $*" >&2; }

package() {
	case $1 in
	nats-server) echo github.com/nats-io/nats-server/v2 ;;
	etcd) echo go.etcd.io/etcd/server/v3 ;;
	kube-apiserver | kube-controller-manager | kube-scheduler | kube-proxy | kubectl | kubelet) echo "k8s.io/kubernetes/cmd/$1" ;;
	helm) echo helm.sh/helm/v4/cmd/helm ;;
	kwok) echo sigs.k8s.io/kwok/cmd/kwok ;;
	*) say "no server is called '$1'. The names are: ${all[*]}" && return 2 ;;
	esac
}

# Prints the path of a program that is on this machine already and answers when asked for its version.
installed() {
	local path='' question=--version
	case $1 in
	nats-server) path=$(type -P nats-server || true) ;;
	etcd | kube-apiserver | kubectl) path=${KUBEBUILDER_ASSETS:+$KUBEBUILDER_ASSETS/$1} ;;
	esac
	if [ "$1" = kubectl ]; then question='version --client'; fi
	# shellcheck disable=SC2086  # the question is one word or two
	if [ -x "$path" ] && "$path" $question >/dev/null 2>&1; then realpath "$path"; else return 1; fi
}

# What makes a pod or a node look alive in kwok is not compiled in: its files come from the same pinned module.
copy_kwok_stages() {
	local module stage
	module=$(go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)
	mkdir -p "$1"
	for stage in "$module"/kustomize/stage/{node/fast,node/heartbeat,pod/fast}/*.yaml; do
		if [ "${stage##*/}" != kustomization.yaml ]; then install -m 644 "$stage" "$1"; fi
	done
}

# One `go build` for all, so that the single-threaded end of one program (linking) overlaps with the next one.
build() {
	local name packages=() kubernetes work=$folder/.new.$$ started=$SECONDS
	if ! command -v go >/dev/null; then
		say "Go is needed to build $*. Install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a" \
			"folder with etcd, kube-apiserver and kubectl and put nats-server on PATH."
		return 1
	fi
	say "building $* (only the first time, a few minutes for all of them)"
	for name; do packages+=("$(package "$name")"); done
	# Without this the API server calls itself v0.0.0, and what it lets CRDs do is judged by that.
	kubernetes=$(sed -n 's|^\tk8s.io/kubernetes v\([0-9.]*\).*|\1|p' go.mod)
	local stamp=k8s.io/component-base/version.git
	local major=${kubernetes%%.*} minor=${kubernetes#*.}
	local version="-X ${stamp}Version=v$kubernetes -X ${stamp}Major=$major -X ${stamp}Minor=${minor%%.*}"

	rm -rf "$work"
	mkdir -p "$work"
	# shellcheck disable=SC2064  # the path is known now and local later
	trap "rm -rf '$work'" EXIT
	GOWORK=off CGO_ENABLED=0 go build -p 2 -trimpath -ldflags "-s -w $version" -o "$work/" "${packages[@]}" >&2
	if [ -e "$work/server" ]; then mv "$work/server" "$work/etcd"; fi # etcd's main package is called `server`
	for name; do
		if [ "$name" = kwok ]; then copy_kwok_stages "$folder/kwok-stages"; fi
		mv -f "$work/$name" "$folder/$name" # a rename: who finds a program finds it whole
	done
	say "built $* in $((SECONDS - started)) s"
}

wanted=("$@")
if [ $# = 0 ]; then wanted=("${all[@]}"); fi
missing=()
for name in "${wanted[@]}"; do
	package "$name" >/dev/null
	if ! [ -x "$folder/$name" ]; then missing+=("$name"); fi
done

if [ ${#missing[@]} != 0 ]; then
	mkdir -p "$folder"
	# Test processes ask at the same time: one builds, the others wait and find it done.
	exec 9>"$folder/.lock"
	if command -v flock >/dev/null; then flock 9; fi
	unbuilt=()
	for name in "${missing[@]}"; do
		if [ -x "$folder/$name" ]; then continue; fi
		if path=$(installed "$name"); then ln -sfn "$path" "$folder/$name"; else unbuilt+=("$name"); fi
	done
	if [ ${#unbuilt[@]} != 0 ]; then build "${unbuilt[@]}"; fi
fi
echo "$folder"
