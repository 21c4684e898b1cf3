#!/usr/bin/env bash
# needs.sh TOOL…: says at once which of cargo, go and cc are missing, and the command that installs each.
set -u
missing=0

lacks() { # WHAT COMMAND
  echo "missing: $1"
  echo "  $2"
  missing=1
}

# The command of the machine's own package manager.
package() { # DEBIAN FEDORA ALPINE MACOS
  if [ "$(uname -s 2>/dev/null)" = Darwin ]; then echo "$4"
  elif type -P apt-get >/dev/null; then echo "sudo apt-get install -y $1"
  elif type -P dnf >/dev/null; then echo "sudo dnf install -y $2"
  elif type -P apk >/dev/null; then echo "sudo apk add $3"
  else echo "your package manager: $1"; fi
}

go_is_new_enough() {
  local version major minor
  version=$(go env GOVERSION 2>/dev/null) || return 1
  version=${version#go} major=${version%%.*} minor=${version#*.} minor=${minor%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 1 ] || [ "$minor" -ge 26 ] && return 0
  # From 1.21 on, Go fetches the version that go.mod asks for, unless it is told not to.
  [ "$minor" -ge 21 ] && [ "$(go env GOTOOLCHAIN)" != local ]
}

for tool in "$@"; do
  case $tool in
  cargo)
    type -P cargo >/dev/null ||
      lacks "cargo (Rust)" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . ~/.cargo/env"
    ;;
  go)
    if ! type -P go >/dev/null; then
      lacks "go (1.26 or newer, builds nats-server)" "see https://go.dev/dl, or: $(package golang golang go 'brew install go')"
    elif ! go_is_new_enough; then
      lacks "go 1.26 or newer (this is $(go env GOVERSION))" "see https://go.dev/dl"
    fi
    ;;
  cc)
    type -P cc >/dev/null || type -P gcc >/dev/null || type -P clang >/dev/null ||
      lacks "cc (a C compiler)" "$(package build-essential gcc build-base 'xcode-select --install')"
    ;;
  *) echo "needs.sh knows no $tool" >&2; exit 2 ;;
  esac
done
exit "$missing"
