#!/bin/sh
# Installs the programs that tests and examples start and npm cannot bring. Does nothing when all are there.
set -eu
packages="curl php-cli php-curl perl python3 gcc libc6-dev make netcat-openbsd procps zsh fish chromium runc crun tini nftables iproute2 iputils-ping util-linux uidmap busybox-static"

missing=
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -z "$missing" ] && { echo "setup-tools: nothing to install"; exit 0; }

command -v apt-get >/dev/null || { echo "setup-tools: cannot find apt-get; install by hand:$missing" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "setup-tools: must be root to install$missing; run: sudo npm run setup-tools" >&2; exit 1; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # one word a package is meant
apt-get install -q -y --no-install-recommends $missing
