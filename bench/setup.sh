#!/bin/sh
# Makes a Debian machine ready for the bench: installs the peers from Debian's packages (as root), then compiles the
# bench's own C programs into bench/build. Safe to run again. `setup.sh --compile` only compiles.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/build

packages="nginx-light haproxy caddy fcgiwrap lighttpd webhook php-cli curl gcc libc6-dev musl-tools crun runc tini nftables iproute2 util-linux mount"

missing() {
  for command in nginx haproxy caddy fcgiwrap lighttpd webhook php curl gcc musl-gcc crun runc tini nft ip unshare nsenter mount; do
    PATH=$PATH:/usr/sbin command -v "$command" >/dev/null || printf '%s ' "$command"
  done
}

install_packages() {
  wanted=$(missing)
  [ -n "$wanted" ] || return 0
  echo "bench: missing: $wanted" >&2
  if ! command -v apt-get >/dev/null; then
    echo "bench: cannot install the peers: there is no apt-get here. Install these by hand: $packages" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "bench: cannot install the peers: this needs root. Run: sudo sh bench/setup.sh" >&2
    exit 1
  fi
  echo "bench: installing $packages" >&2
  # Debian starts services on installation; the bench starts its own with its own configuration, so keep them off.
  policy=/usr/sbin/policy-rc.d
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
}

compile() {
  mkdir -p "$build"
  if command -v musl-gcc >/dev/null; then static_cc="musl-gcc -static"; else static_cc="gcc -static"; fi
  $static_cc -O2 -Wall -o "$build/misdeed" "$here/programs/misdeed.c"
  for program in answer reply; do
    gcc -O2 -Wall -o "$build/$program-dynamic" "$here/programs/$program.c"
    $static_cc -O2 -Wall -o "$build/$program-static" "$here/programs/$program.c"
  done
  for client in load lines first-byte; do gcc -O2 -Wall -o "$build/$client" "$here/load/$client.c"; done
  gcc -O2 -Wall -o "$build/fib-server" "$here/peers/fib-server.c"
  gcc -O2 -Wall -o "$build/limit" "$here/limit/limit.c"
  cp "$here"/programs/*.sh "$here"/programs/*.php "$build/"
  echo "bench: compiled into bench/build (static programs by: $static_cc)" >&2
}

if [ "${1:-}" != --compile ]; then install_packages; fi
compile
