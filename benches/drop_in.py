"""What `drop-in.sh` does to either peer through Alertmanager's API: fill it, list it. Prints seconds.

  drop_in.py rules N                  inhibit rules, as YAML for the configuration
  drop_in.py alerts URL ALERTS RULES  posts alerts, every hundredth an inhibitor; how long until all were taken
  drop_in.py silences URL COUNT       posts silences, none of which takes one of the alerts
  drop_in.py list URL TIMES           GETs a list; the median, then how many bytes came
"""

import http.client
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from statistics import median
from urllib.parse import urlsplit

SITES = 100
PATIENCE = 1200


def request(connection, method, path, body=None):
    payload = None if body is None else json.dumps(body).encode()
    connection.request(method, path, payload, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        sys.exit(f"{method} {path}: {answer.status} {content[:500]!r}")
    return content


def connect(url):
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE), path


def stamp(ahead=timedelta()):
    return (datetime.now(timezone.utc) + ahead).isoformat()


def rules(count):
    print("inhibit_rules:")
    for rule in range(count):
        print(f"  - source_matchers: [ alertname=\"Down{rule}\", severity=\"critical\" ]")
        print(f"    target_matchers: [ alertname=~\"Slow{rule}|Errors{rule}\", severity=~\"warning|info\" ]")
        print("    equal: [ site, cluster ]")


def alert(number, rule_count):
    """The hundredth of each hundred inhibits others of its rule in its site."""
    rule, site = number % rule_count, number // rule_count % SITES
    is_source = number % 100 == 0
    name = f"Down{rule}" if is_source else f"{'Slow' if number % 2 else 'Errors'}{rule}"
    labels = {"alertname": name, "severity": "critical" if is_source else "warning", "site": f"site-{site}",
              "cluster": "c1", "instance": f"host-{number}:9100", "job": "node", "team": f"team-{number % 20}"}
    annotations = {"summary": f"{name} on host-{number}", "runbook_url": f"https://runbooks.example/{name}"}
    return {"labels": labels, "annotations": annotations, "startsAt": stamp(), "endsAt": stamp(timedelta(hours=2)),
            "generatorURL": f"https://prometheus.example/graph?g0.expr={name}"}


def post_alerts(url, count, rule_count):
    connection, path = connect(url)
    batches = [[alert(number, rule_count) for number in range(first, min(first + 500, count))] for first in range(0, count, 500)]
    began = time.monotonic()
    for batch in batches:
        request(connection, "POST", path, batch)
    print(f"{time.monotonic() - began:.3f}")


def post_silences(url, count):
    connection, path = connect(url)
    began = time.monotonic()
    for number in range(count):
        matchers = [{"name": "instance", "value": f"gone-{number}:9100", "isRegex": False, "isEqual": True},
                    {"name": "alertname", "value": f"Slow{number}|Errors{number % 86}", "isRegex": True, "isEqual": True}]
        request(connection, "POST", path, {"matchers": matchers, "startsAt": stamp(), "endsAt": stamp(timedelta(hours=4)),
                                           "createdBy": "bench", "comment": "bench"})
    print(f"{time.monotonic() - began:.3f}")


def list_all(url, times):
    connection, path = connect(url)
    took, size = [], 0
    for _ in range(times):
        began = time.monotonic()
        size = len(request(connection, "GET", path))
        took.append(time.monotonic() - began)
    print(f"{median(took):.3f} {size}")


def main(words):
    match words:
        case ["rules", count]:
            rules(int(count))
        case ["alerts", url, count, rule_count]:
            post_alerts(url, int(count), int(rule_count))
        case ["silences", url, count]:
            post_silences(url, int(count))
        case ["list", url, times]:
            list_all(url, int(times))
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
