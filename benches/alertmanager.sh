#!/usr/bin/env bash
# Watchbell and Alertmanager under the same load, in one run, on this machine; prints ratios.
#
#   benches/alertmanager.sh [SECONDS]     seconds for each measurement, default 5
#
# What the peers promise, and where the load comes from: see benches/lib.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-5}
. benches/lib.sh

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
