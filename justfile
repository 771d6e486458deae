# The same commands as `./tests/run`, one at a time. https://just.systems

default:
    @just --list

# Format the code
fmt:
    cargo fmt

# Formatting and lints, as the gate checks them
lint:
    cargo fmt --check
    cargo clippy -- -D warnings
    cargo clippy --all-targets --all-features -- -D warnings

# Unit, property, snapshot and API tests
test:
    ./tests/run --quick

# The simulation must notice every planted bug
mutants:
    cargo nextest run --features crash-points,mutants --test sim mutants::

# Real Nagios, Zabbix, Prometheus and Alertmanager; `./tests/run` installs them
e2e:
    WATCHBELL_E2E=1 cargo nextest run --no-fail-fast --test-threads 1 --test e2e

# Beside the real Alertmanager: the same steps, and every notification and answer compared
alertmanager:
    WATCHBELL_E2E=1 cargo nextest run --no-fail-fast --test-threads 8 --test alertmanager

# Everything, as continuous integration runs it
all:
    ./tests/run

# A recorded outage becomes one incident and one notification
demo:
    cargo run --release -- run --demo

# Against Alertmanager, on this machine, in one run; needs the load generator
bench:
    ./benches/alertmanager.sh
    ./benches/one-fault.sh
    ./benches/scale.sh

# Where the time of one alert goes, stage by stage.
stages *numbers:
    cargo bench --profile profiling --bench stages -- {{ numbers }}

# Known holes, licences, bans and sources of dependencies
deny:
    cargo deny check

# Every fuzz target for a minute, or these
fuzz *targets:
    ./fuzz/run {{targets}}

# The release binary, the same bytes wherever it is built
release:
    ./release/build

# Two release builds, compared byte by byte
reproducible:
    ./release/reproducible

# The bill of materials of the binary, CycloneDX
sbom:
    ./release/sbom
