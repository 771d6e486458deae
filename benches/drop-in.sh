#!/usr/bin/env bash
# Watchbell in an Alertmanager's place: both read one `alertmanager.yml`, take the same flags and the same requests.
#
#   benches/drop-in.sh [SECONDS] [ALERTS] [SILENCES]     default 4 100000 10000
#
# Ingest and latency as in `alertmanager.sh`; then the lists of 100,000 alerts under 86 inhibit rules, and of a tenth
# of them while 10,000 silences stand. What the load is and where it comes from: benches/lib.sh and drop_in.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-4}
alerts=${2:-100000}
silences=${3:-10000}
rules=86
. benches/lib.sh
port=19911
base=http://127.0.0.1:19093

# group_by, group wait, more of the configuration
configure() {
    cat >"$work/alertmanager.yml" <<YAML
route: { receiver: bench, group_by: $1, group_wait: $2, group_interval: 1h, repeat_interval: 24h }
receivers: [ { name: bench, webhook_configs: [ { url: "http://127.0.0.1:$port/hook" } ] } ]
${3:-}
YAML
}

# peer
start() {
    local program
    case $1 in
    alertmanager) program=(prometheus-alertmanager --cluster.listen-address=) ;;
    watchbell) program=("$watchbell" alertmanager) ;;
    esac
    rm -rf "$work/store"
    "${program[@]}" --config.file="$work/alertmanager.yml" --storage.path="$work/store" --log.level=error \
        --web.listen-address=127.0.0.1:19093 >"$work/$1.log" 2>&1 &
    server=$!
    await $base/-/ready
    url=$base/api/v2/alerts
}

value() { jq -r "$2 // \"-\"" "$work/$1.json"; }
# what, ours, theirs
print() { printf '%-56s %12s %14s %8s\n' "$1" "$2" "$3" "$(ratio "$2" "$3")"; }

# batch, connections, identities
ingest() {
    for peer in alertmanager watchbell; do
        start $peer
        "$loadgen" send --url "$url" --batch "$1" -c "$2" --distinct "$3" --duration "$seconds" --watch-pid "$server" \
            >"$work/$peer.json" 2>/dev/null
        stop
    done
    what=$([ "$3" = 0 ] && echo distinct || echo repeated)
    print "ingest, $1 a request, $what (alerts/s)" "$(value watchbell '.send.alerts_per_s|floor')" "$(value alertmanager '.send.alerts_per_s|floor')"
    print "  p99 of a request (ms)" "$(value watchbell '.send.latency_ms.p99')" "$(value alertmanager '.send.latency_ms.p99')"
}

# rate
latency() {
    for peer in alertmanager watchbell; do
        start $peer
        "$loadgen" run --url "$url" --rate "$1" --duration "$seconds" --listen "127.0.0.1:$port" --watch-pid "$server" \
            >"$work/$peer.json" 2>/dev/null
        stop
    done
    for figure in p50 p99; do
        print "POST to webhook at $1/s, $figure (ms)" "$(value watchbell ".recv.first_delivery_ms.$figure")" "$(value alertmanager ".recv.first_delivery_ms.$figure")"
    done
    print "  lost" "$(value watchbell .matched.lost)" "$(value alertmanager .matched.lost)"
}

call() { python3 benches/drop_in.py "$@"; }
declare -A took
# peer, what, arguments of drop_in.py: remembers what it printed
time_it() { local peer=$1 what=$2; shift 2; took[$peer/$what]=$(call "$@"); }
compare() { # what, in words
    print "$2" "$(cut -d' ' -f1 <<<"${took[watchbell/$1]}")" "$(cut -d' ' -f1 <<<"${took[alertmanager/$1]}")"
}

lists() {
    for peer in alertmanager watchbell; do
        start $peer
        time_it $peer post alerts "$url" "$alerts" $rules
        time_it $peer list list "$url" 1
        time_it $peer inhibited list "$url?active=false&silenced=false&inhibited=true" 1
        time_it $peer one list "$url?filter=instance%3D%22host-77%3A9100%22" 3
        time_it $peer groups list "$url/groups" 1
        took[$peer/cpu]=$(cpu_seconds)
        took[$peer/resident]=$(resident_mib)
        stop
    done
    compare post "POST $alerts alerts under $rules inhibit rules (s)"
    compare list "GET /alerts (s)"
    compare inhibited "GET /alerts, inhibited ones only (s)"
    compare one "GET /alerts, one by filter (s)"
    compare groups "GET /alerts/groups (s)"
    compare cpu "  CPU of all that (s)"
    compare resident "  resident after it (MiB)"
}

silenced() {
    local fewer=$((alerts / 10))
    for peer in alertmanager watchbell; do
        start $peer
        time_it $peer silences silences $base/api/v2/silences "$silences"
        time_it $peer post alerts "$url" $fewer $rules
        time_it $peer list list "$url" 1
        time_it $peer again list "$url" 3
        time_it $peer one silences $base/api/v2/silences 1
        time_it $peer after list "$url" 1
        time_it $peer all list $base/api/v2/silences 3
        stop
    done
    compare silences "POST $silences silences (s)"
    compare post "POST $fewer alerts while those stand (s)"
    compare list "GET /alerts for the first time (s)"
    compare again "GET /alerts again (s)"
    compare after "GET /alerts after one more silence (s)"
    compare all "GET /silences (s)"
}

printf '%-56s %12s %14s %8s\n' measurement watchbell alertmanager ratio
configure "['...']" 1h
for case in "1 32" "64 8" "1000 4"; do
    read -r batch connections <<<"$case"
    for distinct in 0 10000; do ingest "$batch" "$connections" $distinct; done
done
configure "['...']" 0s
latency 1000
configure "[alertname, site]" 30s "$(call rules $rules)"
lists
configure "[alertname, site]" 1h
silenced
