#!/usr/bin/env bash
# Two hundred thousand alerts in seconds from one source while ordinary pages go on from another.
#
#   benches/storm.sh [SECONDS] [PAGES] [CONNECTIONS] [LABEL]
#
# SECONDS of flood, as fast as it is answered (default 10; it is meant to be 200,000 alerts at least), PAGES in
# a second (default 20), CONNECTIONS of the flood (default 32). The flood is one fault: a site's links go down.
# The same pages once quiet and once in the storm; the ratio of their p99s is what it is about. A flood may be
# refused, with a status that its sender understands and `Retry-After`; a page may not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-10} pages=${2:-20} connections=${3:-32}
. benches/lib.sh
port=19911

cat >"$work/page.json" <<'JSON'
{"status":"firing","name":"Page {{run}} {{id}}","configuration_item":"page-{{run}}-{{id}}","severity":"critical",
 "annotations":{"summary":"{{marker}}"}}
JSON

start() {
    rm -rf "$work/wb"
    mkdir -p "$work/wb"
    cat >"$work/wb.yaml" <<YAML
listen: 127.0.0.1:19494
store: { sqlite: { path: $work/wb/watchbell.db } }
sources: { flood: { kind: prometheus }, pages: { kind: generic } }
naming: { runs_on_labels: [site] }
correlation: { hold_down: 0s }
receivers:
  pages: { sinks: [ { kind: webhook, url: "http://127.0.0.1:$port/hook", allow_private: true, rate: { count: 100000, per: 1s } } ] }
  rest: { sinks: [ { kind: log } ] }
route: { receiver: rest, group_wait: 0s, group_interval: 1m, repeat_interval: 24h, routes: [ { matchers: [ 'source="pages"' ], receiver: pages } ] }
YAML
    resume_watchbell
}

# name
ring() {
    "$loadgen" run --url http://127.0.0.1:19494/in/generic/pages --format template --template "$work/page.json" \
        --rate "$pages" -c 8 --duration "$seconds" --listen "127.0.0.1:$port" --watch-pid "$server" \
        >"$work/$1.json" 2>"$work/$1.log"
}

value() { jq -r "$2 // 0" "$work/$1.json"; }

start
ring warm
ring quiet
stop
start
"$loadgen" send --url http://127.0.0.1:19494/in/prometheus/flood/api/v2/alerts --batch 100 -c "$connections" --groups 1 \
    --duration "$((seconds + 2))" >"$work/flood.json" 2>/dev/null &
flood=$!
sleep 1
ring storm
wait $flood
peak=$(awk '/^VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status")
stop

printf '%-28s %10s %10s %8s\n' 'page, POST to webhook (ms)' quiet storm ratio
for figure in p50 p99; do
    a=$(value quiet ".recv.first_delivery_ms.$figure") b=$(value storm ".recv.first_delivery_ms.$figure")
    printf '%-28s %10.2f %10.2f %8s\n' "  $figure" "$a" "$b" "$(ratio "$b" "$a")"
done
printf 'pages: %s sent, statuses %s, lost %s\n' "$(value storm .send.requests)" \
    "$(jq -c '.send.statuses' "$work/storm.json")" "$(value storm .matched.lost)"
printf 'flood: %s alerts a second accepted for %s s, statuses of its requests of 100: %s\n' \
    "$(value flood '.send.alerts_per_s | floor')" "$((seconds + 2))" "$(jq -c '.send.statuses' "$work/flood.json")"
printf 'resident at most: %s MiB\n' "$peak"
