#!/usr/bin/env bash
# A hundred thousand alerts of one fault, and a hundred thousand that have nothing to do with each other.
#
#   benches/one-fault.sh [ALERTS]     default 100000
#
# One fault: the router of a site is down and with it every host behind it. Alertmanager is told by a rule that
# the router's alert inhibits those of its site; Watchbell is told that hosts depend on their site.
# Unrelated: every alert is a notification of its own, as fast as they go out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
alerts=${1:-100000}
. benches/lib.sh
port=19911

router() {
    local now
    now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    curl -fs -o /dev/null -H 'content-type: application/json' "$url" -d "[{\"labels\":{\"alertname\":\"RouterDown\",
        \"instance\":\"site-0\",\"site\":\"site-0\",\"severity\":\"critical\"},
        \"annotations\":{\"summary\":\"site-0 is down\"},\"startsAt\":\"$now\"}]"
}

# peer
one_fault() {
    local before
    case $1 in
    alertmanager) start_alertmanager 5s "http://127.0.0.1:$port/hook" \
        'inhibit_rules: [ { source_matchers: [ alertname="RouterDown" ], target_matchers: [ alertname="LgLinkDown" ], equal: [ site ] } ]' ;;
    watchbell) start_watchbell 5s "http://127.0.0.1:$port/hook" 'naming: { runs_on_labels: [site] }' ;;
    esac
    "$loadgen" recv --listen 127.0.0.1:$port --recv-for 25 >"$work/recv.json" 2>/dev/null &
    local receiver=$!
    router
    before=$(cpu_seconds)
    "$loadgen" send --url "$url" --batch 100 -c 4 --groups 1 --count $((alerts / 100)) >"$work/send.json" 2>/dev/null
    wait $receiver || true
    cpu=$(awk -v a="$(cpu_seconds)" -v b="$before" 'BEGIN { printf "%.2f", a - b }')
    notifications=$(jq '.recv.requests' "$work/recv.json")
    accepted=$(jq '.send.alerts_per_s' "$work/send.json")
    if [ "$1" = watchbell ]; then
        incidents=$(curl -fs 'http://127.0.0.1:19494/api/v1/incidents' |
            jq -c '[.items[] | {priority, alerts: .alert_count, cause: .root_cause.configuration_item}]')
    fi
    printf '%-14s %8s s CPU, %s notification(s), %.0f alerts/s, resident %s MiB\n' "$1" "$cpu" "$notifications" "$accepted" "$(resident_mib)"
    stop
}

# peer
unrelated() {
    "start_$1" 0s "http://127.0.0.1:$port/hook"
    "$loadgen" run --url "$url" --batch 100 -c 4 --count $((alerts / 100)) --listen "127.0.0.1:$port" --drain 180 \
        --watch-pid "$server" >"$work/$1.json" 2>/dev/null
    jq -r --arg peer "$1" '[$peer, .recv.last_new_s, .recv.distinct, .matched.lost, .matched.delivered_more_than_once, .watch[0].cpu_s, .watch[0].rss_peak_mib] |
        "\(.[0])  last delivered after \(.[1]) s, \(.[2]) delivered, \(.[3]) lost, \(.[4]) more than once, \(.[5]) s CPU, \(.[6] | floor) MiB at most"' "$work/$1.json"
    stop
}

echo "== $alerts alerts of one fault"
one_fault alertmanager; theirs=$cpu
one_fault watchbell; ours=$cpu
echo "CPU ratio $(ratio "$ours" "$theirs"); incidents: $incidents"
echo
echo "== $alerts unrelated alerts, a notification each"
unrelated alertmanager
unrelated watchbell
echo "time ratio $(ratio "$(jq .recv.last_new_s "$work/watchbell.json")" "$(jq .recv.last_new_s "$work/alertmanager.json")")"
