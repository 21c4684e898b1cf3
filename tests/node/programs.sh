#!/usr/bin/env bash
# Prints the folder of containerd, runc, the CNI plugins and nftables. Exits with 3 where they cannot be had.
exec "$(dirname "$0")/../debian.sh" node containerd runc containernetworking-plugins nftables libnftables1 libnftnl11 libjansson4 libedit2 libmnl0
