#!/usr/bin/env python3
"""Writes what each fuzz target starts from into fuzz/corpus/<target>.

Reads `watchbell integrations --json` on stdin: the examples that every source carries. The recorded requests
of real monitors and the public collections of hostile text are read where they lie beside the project.
"""

import gzip
import hashlib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "fuzz" / "corpus"
# A hundred thousand brackets are one idea.
BYTES_MAX = 4096


def seed(target, content, prefix=b""):
    """Keeps one input under the name of its content, so that the same one is there once."""
    content = prefix + (content.encode() if isinstance(content, str) else content)
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(content).hexdigest()).write_bytes(content)


def from_project(integrations):
    for example in (text for each in integrations for text in each.get("examples", [])):
        seed("sources", example)
        seed("body", example, b"\xff")
        seed("body", gzip.compress(example.encode(), mtime=0), b"\xff")
    files = [ROOT / "config/watchbell.yaml", ROOT / "fuzz/src/lab.yaml", *(ROOT / "config/examples").glob("*.yaml")]
    for file in files:
        seed("config", file.read_bytes())
        seed("config", file.read_bytes() + b"\0listen: 127.0.0.1:1\n\0WATCHBELL__LISTEN=127.0.0.1:2\n")
        seed("topology", file.read_bytes())
    seed("topology", (ROOT / "fuzz/src/lab-topology.yaml").read_bytes())
    seed("topology", "define host {\n\thost_name\tweb1\n\tparents\trtr1\n\t}\n")
    seed("topology", '{"nodes":[{"id":"web1","tier":1}],"edges":[{"from":"web1","to":"rtr1"}]}')
    for text in ['a="1"', 'a!="1", b=~"x|y"', '{a="1",b!~"2.*"}', '"a b"="c"', 'a=~"x"\0x']:
        seed("matcher", text)
    for text in ["1h30m", "250ms", "2026-11-21T05:00:00.123Z", "30\0", "Sat, 21 Nov 2026 05:13:30 GMT\0Sat, 21 Nov 2026 05:12:00 GMT"]:
        seed("time", text)
    for text in [
        "{{ incident.title }}",
        "{% for alert in incident.alerts %}{{ alert.name | upper }}{% endfor %}",
        "{% if incident.url is defined %}{{ incident.url }}{% else %}none{% endif %}",
        "{% set x = range(1000) %}{% for y in x %}{{ y }}{% endfor %}",
    ]:
        seed("template", text)
    defaults = (ROOT / "src/render/go_template/defaults.tmpl").read_text()
    for block in re.split(r"(?=\{\{ define )", defaults):
        seed("go_template", block + "\0HostDown\0db-1\0site\0fra1\0<down> & javascript:out")
    seed("macros", "NOTIFICATIONTYPE=PROBLEM\0HOSTNAME=web1\0HOSTSTATE=DOWN\0NAGIOS_HOSTOUTPUT=away", b"\x03")
    seed("cursor", "aTE3OTUyMzcyMDAwMDAuaW5jLTAx")
    slack = '{"ok":true,"channel":"C024BE91L","ts":"1795237920.000100"}'
    ticket = '{"result":{"sys_id":"a9e3","number":"INC0010001"}}'
    echo = '{"error":"Tr0ub4dor-horse","message":"S3rvice-N0w-pass xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"}'
    for body in [slack, ticket, echo, '{"error":{"message":' + json.dumps(echo) + "}}"]:
        seed("answers", body + "\0application/json\x0030\0" + slack, b"\x00\xc8\x01")


def from_shared(shared):
    for file in sorted((shared / "captures").glob("*.json")):
        for request in json.loads(file.read_text()).get("requests", []):
            seed("sources", request.get("body") or "")
    files = [path for path in sorted((shared / "corpora").rglob("*")) if path.is_file()]
    for file in (path for path in files if path.stat().st_size <= BYTES_MAX):
        for target in ["sources", "config", "topology"]:
            seed(target, file.read_bytes())
    texts = json.loads((shared / "corpora/blns/blns.json").read_text())
    for index, text in enumerate(texts):
        seed("encoders", text, bytes([index % 60, index % 32]))
        seed("template", "{{ reason }}\0" + text)
        seed("template", text)
        seed("go_template", "{{ .CommonLabels.alertname | printf `%q %s` }}\0" + text)
        seed("matcher", text)
        seed("time", text)
        seed("cursor", text)


def main():
    from_project(json.load(sys.stdin))
    # Beside the project, or beside the folder of its worktrees.
    shared = next((path / "shared" for path in ROOT.parents if (path / "shared/corpora").is_dir()), None)
    if shared is None:
        print("fuzz/seeds.py: no `shared` beside the project: fewer seeds", file=sys.stderr)
    else:
        from_shared(shared)


main()
