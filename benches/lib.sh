# What the benchmarks share: building, starting and stopping the two peers. Sourced, not run.
#
# Alertmanager takes alerts into memory; Watchbell answers after its commit is on the disk. The load comes
# from `loadgen` (../shared/loadgen; without it a benchmark says so and ends). Absolute figures depend on the
# machine and on what else runs there: compare figures of one run only.

loadgen_source=${LOADGEN_SOURCE:-../shared/loadgen}
if [ ! -d "$loadgen_source" ]; then
    echo "no load generator at $loadgen_source; set LOADGEN_SOURCE" >&2
    exit 0
fi
for tool in prometheus-alertmanager jq curl; do
    command -v "$tool" >/dev/null || { echo "$tool is missing (Debian packages: prometheus-alertmanager jq curl)" >&2; exit 1; }
done

watchbell=${WATCHBELL:-}
if [ -z "$watchbell" ]; then
    cargo build --release --quiet
    watchbell=${CARGO_TARGET_DIR:-target}/release/watchbell
fi
loadgen_target=${LOADGEN_TARGET:-$PWD/target/loadgen}
CARGO_TARGET_DIR=$loadgen_target cargo build --release --quiet --manifest-path "$loadgen_source/Cargo.toml"
loadgen=$loadgen_target/release/loadgen
work=$(mktemp -d)
server=
url=
stop() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; server=; fi; }
trap 'stop; rm -rf "$work"' EXIT

await() { # URL
    for _ in $(seq 600); do curl -fs -o /dev/null "$1" && return; sleep 0.05; done
    echo "nothing answers at $1" >&2; tail -n 20 "$work"/*.log >&2; exit 1
}

# group wait, receiver URL, more of the configuration
start_alertmanager() {
    cat >"$work/am.yml" <<YAML
route: { receiver: bench, group_by: ['...'], group_wait: $1, group_interval: 1h, repeat_interval: 24h }
receivers: [ { name: bench, webhook_configs: [ { url: "$2" } ] } ]
${3:-}
YAML
    rm -rf "$work/am"
    prometheus-alertmanager --config.file="$work/am.yml" --storage.path="$work/am" --cluster.listen-address= \
        --web.listen-address=127.0.0.1:19093 >"$work/am.log" 2>&1 &
    server=$!
    await http://127.0.0.1:19093/-/ready
    url=http://127.0.0.1:19093/api/v2/alerts
}

# group wait, receiver URL, more of the configuration
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
${3:-}
YAML
    resume_watchbell
}

# On the store that is there.
resume_watchbell() {
    WATCHBELL_LOG=error "$watchbell" run --config "$work/wb.yaml" >>"$work/wb.log" 2>&1 &
    server=$!
    await http://127.0.0.1:19494/-/ready
    url=http://127.0.0.1:19494/api/v2/alerts
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b + 0 == 0) print "-"; else printf "%.2f", a / b }'; }
resident_mib() { awk '/^VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status"; }
cpu_seconds() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f", ($14 + $15) / hz }' "/proc/$server/stat"; }
