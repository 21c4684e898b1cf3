#!/usr/bin/env bash
# Prints a command that runs buildah: the machine's, else that of Debian's packages. Exits with 3 where there is neither.
set -euo pipefail
if command -v buildah >/dev/null; then echo buildah; exit; fi
root=$("$(dirname "$0")/../debian.sh" buildah buildah libgpgme11 libassuan0 libdevmapper1.02.1 libsubid4 libseccomp2 libselinux1 libudev1 \
  golang-github-containers-common golang-github-containers-image)
libraries=$(find "$root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
# A rename: who finds it finds it whole.
work=$(mktemp "$root/../run.XXXX")
cat >"$work" <<END
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $root/usr/bin/buildah "\$@"
END
chmod 755 "$work"
mv "$work" "$root/../run"
realpath "$root/../run"
