#!/usr/bin/env bash
# Watchbell and Alertmanager under the same load, in one run, on this machine; prints ratios.
#
#   benches/alertmanager.sh [SECONDS]     seconds for each measurement, default 5
#
# Alertmanager takes alerts into memory; Watchbell answers after its commit is on the disk. The load comes
# from `loadgen` (../shared/loadgen; without it this script says so and ends). Absolute figures depend on
# the machine and on what else runs there: compare the two columns only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-5}
loadgen_source=${LOADGEN_SOURCE:-../shared/loadgen}
if [ ! -d "$loadgen_source" ]; then
    echo "no load generator at $loadgen_source; set LOADGEN_SOURCE" >&2
    exit 0
fi
for tool in prometheus-alertmanager jq curl; do
    command -v "$tool" >/dev/null || { echo "$tool is missing (Debian packages: prometheus-alertmanager jq curl)" >&2; exit 1; }
done

cargo build --release --quiet
loadgen_target=${LOADGEN_TARGET:-$PWD/target/loadgen}
CARGO_TARGET_DIR=$loadgen_target cargo build --release --quiet --manifest-path "$loadgen_source/Cargo.toml"
loadgen=$loadgen_target/release/loadgen
watchbell=${CARGO_TARGET_DIR:-target}/release/watchbell
work=$(mktemp -d)
server=
stop() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi; }
trap 'stop; rm -rf "$work"' EXIT

await() { # URL
    for _ in $(seq 200); do curl -fs -o /dev/null "$1" && return; sleep 0.05; done
    echo "nothing answers at $1" >&2; tail -n 20 "$work"/*.log >&2; exit 1
}

# name, port, group wait, receiver URL
start_alertmanager() {
    cat >"$work/am.yml" <<YAML
route: { receiver: bench, group_by: ['...'], group_wait: $1, group_interval: 1h, repeat_interval: 24h }
receivers: [ { name: bench, webhook_configs: [ { url: "$2" } ] } ]
YAML
    rm -rf "$work/am"
    prometheus-alertmanager --config.file="$work/am.yml" --storage.path="$work/am" --cluster.listen-address= \
        --web.listen-address=127.0.0.1:19093 >"$work/am.log" 2>&1 &
    server=$!
    await http://127.0.0.1:19093/-/ready
    url=http://127.0.0.1:19093/api/v2/alerts
}

start_watchbell() {
    rm -rf "$work/wb"
    mkdir -p "$work/wb"
    cat >"$work/wb.yaml" <<YAML
listen: 127.0.0.1:19494
store: { sqlite: { path: $work/wb/watchbell.db } }
sources: { prometheus: { kind: prometheus } }
correlation: { hold_down: 0s }
receivers: { bench: { sinks: [ { kind: webhook, url: "$2", allow_private: true, rate: { count: 100000, per: 1s } } ] } }
route: { receiver: bench, group_wait: $1, group_interval: 1h, repeat_interval: 24h }
YAML
    WATCHBELL_LOG=error "$watchbell" run --config "$work/wb.yaml" >"$work/wb.log" 2>&1 &
    server=$!
    await http://127.0.0.1:19494/-/ready
    url=http://127.0.0.1:19494/api/v2/alerts
}

# peer, batch, connections, identities → alerts per second and p99 in ms
ingest() {
    "start_$1" 1h http://127.0.0.1:9/never
    "$loadgen" send --url "$url" --batch "$2" -c "$3" --distinct "$4" --duration "$seconds" --watch-pid "$server" \
        >"$work/$1.json" 2>/dev/null
    stop
}

# peer, rate
latency() {
    local port=19911
    "start_$1" 0s "http://127.0.0.1:$port/hook"
    "$loadgen" run --url "$url" --rate "$2" --duration "$seconds" --listen "127.0.0.1:$port" --watch-pid "$server" \
        >"$work/$1.json" 2>/dev/null
    stop
}

value() { jq -r "$2 // \"-\"" "$work/$1.json"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 == 0) print "-"; else printf "%.2f", a / b }'; }

printf '%-44s %14s %14s %8s\n' measurement watchbell alertmanager ratio
for case in "1 32" "64 8" "1000 4"; do
    read -r batch connections <<<"$case"
    for distinct in 0 10000; do
        for peer in alertmanager watchbell; do ingest "$peer" "$batch" "$connections" "$distinct"; done
        what=$([ "$distinct" = 0 ] && echo distinct || echo repeated)
        a=$(value watchbell '.send.alerts_per_s') b=$(value alertmanager '.send.alerts_per_s')
        printf '%-44s %14.0f %14.0f %8s\n' "ingest, $batch a request, $what (alerts/s)" "$a" "$b" "$(ratio "$a" "$b")"
        printf '%-44s %14.1f %14.1f\n' "  p99 of a request (ms)" "$(value watchbell '.send.latency_ms.p99')" "$(value alertmanager '.send.latency_ms.p99')"
    done
done
for peer in alertmanager watchbell; do latency "$peer" 1000; done
for figure in p50 p99; do
    a=$(value watchbell ".recv.first_delivery_ms.$figure") b=$(value alertmanager ".recv.first_delivery_ms.$figure")
    printf '%-44s %14.2f %14.2f %8s\n' "POST to webhook at 1000/s, $figure (ms)" "$a" "$b" "$(ratio "$a" "$b")"
done
