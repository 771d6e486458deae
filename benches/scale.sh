#!/usr/bin/env bash
# What a million active alerts cost: time and CPU for each event on the way there, memory, queries, and the
# start of a daemon that has many.
#
#   benches/scale.sh [ALERTS]     default 1000000
#
# Twice: alerts that belong to one of ten sites (ten incidents), and alerts that have nothing to do with each
# other (an incident each, up to a tenth as many).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
alerts=${1:-1000000}
. benches/lib.sh
batch=1000

# The first alert that is new, the first that is not wanted any more.
send() {
    "$loadgen" send --url "$url" --batch $batch -c 4 --id-start "$1" --count $((($2 - $1) / batch)) --run-id beef \
        >"$work/send.json" 2>/dev/null
}

# Up to how many
climb() {
    local from=0 to cpu before=0
    printf '%12s %14s %14s %14s\n' 'active' 'events/s' 'CPU µs/event' 'resident MiB'
    for to in 1000 10000 100000 1000000 10000000; do
        [ "$from" -lt "$1" ] || break
        [ "$to" -le "$1" ] || to=$1
        before=$(cpu_seconds)
        send $from $to
        sleep 1 # What was accepted is written within that.
        cpu=$(awk -v a="$(cpu_seconds)" -v b="$before" -v n=$((to - from)) 'BEGIN { printf "%.1f", (a - b) * 1e6 / n }')
        printf '%12d %14.0f %14s %14s\n' "$to" "$(jq '.send.alerts_per_s' "$work/send.json")" "$cpu" "$(resident_mib)"
        from=$to
    done
}

queries() {
    local before page
    before=$(resident_mib)
    page=$(curl -fs -o /dev/null -w '%{time_total}' 'http://127.0.0.1:19494/api/v1/alerts?status=firing&limit=500')
    local cursor='' pages=0 answer
    while [ $pages -lt 100 ]; do
        answer=$(curl -fs "http://127.0.0.1:19494/api/v1/alerts?status=firing&limit=500${cursor:+&cursor=$cursor}" | jq -r '.next_cursor // ""')
        pages=$((pages + 1)) cursor=$answer
        [ -n "$cursor" ] || break
    done
    printf 'one page of 500: %s s; %d pages one after the other; resident %s MiB before, %s MiB after\n' \
        "$page" $pages "$before" "$(resident_mib)"
}

restart() {
    local began
    stop
    began=$(date +%s%N)
    resume_watchbell
    printf 'ready %d ms after the start, resident %s MiB\n' $((($(date +%s%N) - began) / 1000000)) "$(resident_mib)"
}

echo "== alerts of ten sites, which are ten incidents"
start_watchbell 1h http://127.0.0.1:9/never 'naming: { runs_on_labels: [site] }'
climb "$alerts"
queries
restart
stop
echo
echo "== alerts that have nothing to do with each other, an incident each"
start_watchbell 1h http://127.0.0.1:9/never
climb $((alerts / 10))
queries
restart
