#!/usr/bin/env bash
# `make demo`: a real NATS and the receiver on free ports, one signed delivery of each vendor, and the events they became.
# Ends by itself, unless it is on a terminal: then it serves until Ctrl-C, for deliveries of your own.
set -euo pipefail
cd "$(dirname "$0")/.."
hookgate=$1
servers=$(tests/servers/build.sh nats-server)
work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}
wait_for() { # NAME COMMAND…
  local name=$1; shift
  for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  echo "$name does not come up:" >&2; cat "$work"/*.log >&2; exit 1
}
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# Without curl or wget: /readyz by bash alone.
ready() {
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
  local status; read -r status <&3; exec 3>&-; [[ $status == *" 200 "* ]]
}

nats_port=$(free_port) port=$(free_port) admin_port=$(free_port)
nats="nats://127.0.0.1:$nats_port" to="http://127.0.0.1:$port"
"$servers/nats-server" -a 127.0.0.1 -p "$nats_port" -js -sd "$work/nats" >"$work/nats.log" 2>&1 &
pids+=($!)
wait_for nats-server listening "$nats_port"
"$hookgate" run --manifests examples/quickstart --listen "127.0.0.1:$port" --admin-listen "127.0.0.1:$admin_port" \
  --nats-url "$nats" >"$work/hookgate.log" 2>&1 &
pids+=($!)
wait_for hookgate ready "$admin_port"

send() { # SOURCE DATA [FLAG…]
  local source=$1 data=$2; shift 2
  echo "== $source"
  "$hookgate" send -f examples/quickstart --source "demo/$source" --data "examples/quickstart/data/$data" --to "$to" --nats-url "$nats" "$@"
}
send focus-push focus-push.json
send post-call post-call.json
send xosum xosum.json
send meeting-intelligence meeting-intelligence.json
send github github.json --event issues.opened

cat <<END
== Send the next one yourself
The receiver listens on $to, NATS on $nats. Any of these:

$("$hookgate" send -f examples/quickstart --source demo/meeting-intelligence --data examples/quickstart/data/meeting-intelligence.json --to "$to" --curl)

  $hookgate send -f examples/quickstart --source demo/github --event issues.closed --to $to --nats-url $nats
  $hookgate tail --nats-url $nats
END
if [[ -t 0 && -t 1 ]]; then
  echo; echo "Serving until Ctrl-C."
  wait "${pids[1]}"
fi
