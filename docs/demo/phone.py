#!/usr/bin/env python3
"""A simulated phone of 2014 through Tidewaiter: docs/demo/phone.py [--binary PATH] [--keep DIR].

Two TLS servers stand on this machine: one at 127.66.0.1, which the configuration puts into a watched region, and one
outside. The phone sends both the same five requests with the identifiers of the 2014 case, three times: in the modes
record, redact and block. What each server received is compared with what was sent; the cases are verified, and a
flipped byte is looked for. Exit code 0 if everything is as promised, else 1.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1] / "Tests/Loopback"))

import harness  # noqa: E402
import pki  # noqa: E402
from origins import Origin  # noqa: E402

WATCHED, OUTSIDE = "api.watched.example", "api.outside.example"
IMEI, IMSI = "490154203237518", "466920123456789"
OWN, FRIEND, OTHER = "+886912345678", "+886955555501", "+886955555502"
FRIEND_NAME, TELCO = "Tide Waiter QX7", "Far Shore Mobile"


def H(text):
    """The digest of the 2014 client: the first 16 characters of URL-safe base64 of SHA-1."""
    return base64.urlsafe_b64encode(hashlib.sha1(text.encode()).digest()).decode()[:16]


class Sent:
    """One request of the phone: what it holds, as (kind, location), and its identifiers as they are spelled in it."""

    def __init__(self, title, method, path, fields=(), body=None, holds=(), spelled=()):
        self.title, self.method, self.path, self.fields, self.body = title, method, path, list(fields), body
        self.holds, self.spelled = set(holds), spelled


def requests():
    """The 2014 set: telco name, IMEI, IMSI, own and contacts' numbers, plain and as H(x), in every place of a request."""
    document = json.dumps({
        "operator": TELCO, "device": {"imei": IMEI, "imsi": IMSI, "hash": H(IMEI)}, "number": OWN,
        "contacts": [{"name": FRIEND_NAME, "phone": FRIEND}, {"phone": OTHER}], "sdk": 14, "idle": False}).encode()
    form = {"imei": IMEI, "imsi": H(IMSI), "phone": OWN, "sender": FRIEND, "lang": "zh_TW"}
    return [
        Sent("JSON", "POST", "/sync/contacts", [("Content-Type", "application/json")], document,
             [("carrier", "body"), ("imei", "body"), ("imsi", "body"), ("msisdn", "body"), ("contact_name", "body"),
              ("contact_phone", "body")], [TELCO, IMEI, IMSI, H(IMEI), OWN, FRIEND_NAME, FRIEND, OTHER]),
        Sent("form", "POST", "/sms/received", [("Content-Type", "application/x-www-form-urlencoded")],
             urllib.parse.urlencode(form).encode(),
             [("imei", "body"), ("imsi", "body"), ("msisdn", "body"), ("contact_phone", "body")],
             [IMEI, H(IMSI), OWN[1:], FRIEND[1:]]),
        Sent("activation", "GET", f"/pass/activate/dev/{H(IMEI)}/activating?imsi={H(IMSI)}",
             holds=[("imei", "path"), ("imsi", "query")], spelled=[H(IMEI), H(IMSI)]),
        Sent("query", "GET", f"/pass/user@id?type=MXPH&externalId={urllib.parse.quote(OWN)}",
             holds=[("msisdn", "query")], spelled=[OWN[1:]]),
        Sent("fields", "GET", "/config/latest",
             [("User-Agent", f"phone/4.4 ({TELCO})"), ("X-Device", IMEI), ("Cookie", f"lang=zh_TW; uid={IMSI}")],
             holds=[("carrier", "header"), ("imei", "header"), ("imsi", "cookie")], spelled=[TELCO, IMEI, IMSI]),
    ]


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.failures = 0
        self.answers = 0

    def check(self, holds, sentence):
        """Says whether something holds that was promised."""
        print(f"  {'ok  ' if holds else 'FAIL'} {sentence}")
        self.failures += not holds

    def answer(self, exchange):
        exchange.body()
        exchange.reply(body=b'{"code":0}', fields=[("Content-Type", "application/json")])

    def run(self, mode, rules):
        """The phone's five requests to both servers in one mode; leaves the case sealed."""
        leaf = pki.shared().leaf(WATCHED, OUTSIDE)
        with Origin(self.answer, address="127.66.0.1", leaf=leaf) as watched, Origin(self.answer, leaf=leaf) as outside:
            folder = self.folder / mode
            folder.mkdir(parents=True)
            proxy = harness.Proxy(
                path=folder, mode=mode, rules=(HERE / rules).read_text(), device=(HERE / "phone.yaml").read_text(),
                hosts={WATCHED: "127.66.0.1", OUTSIDE: "127.0.0.1"}, config={"case": {"name": mode}})
            with proxy:
                statuses = {}
                for host, server in ((WATCHED, watched), (OUTSIDE, outside)):
                    for sent in requests():
                        answer = proxy.fetch(host, server.port, sent.path, sent.method, sent.body, sent.fields)
                        statuses[host, sent.title] = answer.status, answer.body
                proxy.stop()
            print(f"\nmode {mode}, {rules}")
            print(f"  {'request':<12} {'identifiers':>11}   {'watched server saw':<24} outside server saw")
            for index, sent in enumerate(requests()):
                seen = [self.describe(sent, server, index) for server in (watched, outside)]
                print(f"  {sent.title:<12} {len(sent.spelled):>11}   {seen[0]:<24} {seen[1]}")
            return proxy, watched, outside, statuses

    def describe(self, sent, server, index):
        if len(server.requests) <= index:
            return "nothing, not even TCP" if not server.accepted else "nothing"
        left = self.identifiers(sent, server, index)
        return f"{len(left)} of {len(sent.spelled)} identifiers"

    def identifiers(self, sent, server, index):
        """Which of a request's identifiers the server received, in any spelling that the phone used."""
        text = bytes(server.connections[index].received).decode("latin-1")
        text += urllib.parse.unquote_plus(text)
        return [spelling for spelling in sent.spelled if spelling in text]

    def arrived_unchanged(self, server, name):
        """Whether the five requests are at the server byte for byte, but for the fields of the hop."""
        for sent, message in zip(requests(), server.requests, strict=True):
            host = f"{name}:{server.port}"
            fields = [("Host", host), *sent.fields]
            if sent.body is not None:
                fields.append(("Content-Length", str(len(sent.body))))
            kept = [field for field in message.fields if field[0].lower() != "connection"]
            if (message.start, kept, message.body) != (f"{sent.method} {sent.path} HTTP/1.1", fields, sent.body or b""):
                return False
        return True

    def found(self, proxy, host):
        """Whether findings --json has every identifier that was sent to a host, where it was sent."""
        findings = proxy.rows("findings", "--case", proxy.config["case"]["name"])
        for sent in requests():
            there = {(finding["kind"], finding["location"]) for finding in findings
                     if host in finding["url"] and finding["url"].endswith(sent.path)}
            if not sent.holds <= there:
                print(f"       {host} {sent.title}: not found: {sorted(sent.holds - there)}")
                return False
        return True

    def record(self):
        proxy, watched, outside, statuses = self.run("record", "rules-redact.yaml")
        self.check(all(answer == (200, b'{"code":0}') for answer in statuses.values()), "the phone notices nothing")
        self.check(self.arrived_unchanged(watched, WATCHED) and self.arrived_unchanged(outside, OUTSIDE),
                   "bodies and end-to-end fields arrive byte for byte at both servers")
        self.check(self.found(proxy, WATCHED) and self.found(proxy, OUTSIDE), "every identifier is in the findings, at its place")
        return proxy

    def redact(self):
        proxy, watched, outside, statuses = self.run("redact", "rules-redact.yaml")
        sent = requests()
        self.check(not any(self.identifiers(request, watched, index) for index, request in enumerate(sent)),
                   "no identifier arrives at the watched server")
        self.check(self.arrived_unchanged(outside, OUTSIDE), "the outside server gets everything byte for byte")
        seen = watched.requests
        document, original = json.loads(seen[0].body), json.loads(sent[0].body)
        self.check(document.keys() == original.keys() and document["sdk"] == 14 and len(document["contacts"]) == 2,
                   "the JSON still parses, with the same keys and the other values untouched")
        form = urllib.parse.parse_qs(seen[1].body.decode(), strict_parsing=True)
        self.check(list(form) == list(urllib.parse.parse_qs(sent[1].body.decode())) and form["lang"] == ["zh_TW"],
                   "the form still parses, with the same keys and the other values untouched")
        self.check(all(len(request.path) == len(message.target) and len(request.body or b"") == len(message.body)
                       for request, message in zip(sent, seen, strict=True)), "targets and bodies keep their lengths")
        self.check(document["device"]["hash"] == H(document["device"]["imei"]),
                   "where H(IMEI) stood is H of the IMEI's pseudonym")
        self.check(all(status == 200 for status, _ in statuses.values()), "every request is answered by its server")
        return proxy

    def block(self):
        proxy, watched, outside, statuses = self.run("block", "rules-block.yaml")
        self.check(watched.accepted == 0, "the watched server sees not one TCP connection")
        self.check(self.arrived_unchanged(outside, OUTSIDE), "the outside server gets everything byte for byte")
        blocked = [answer for (host, _), answer in statuses.items() if host == WATCHED]
        self.check(all(status == 451 and b"nothing-to-watched-regions" in page for status, page in blocked),
                   "the phone gets 451 with a page that names the rule")
        flows = [flow for flow in proxy.rows("flows", "--case", "block") if flow["host"] == WATCHED]
        bodies = {sent.path: sent.body for sent in requests() if sent.body}
        shown = {flow["url"][flow["url"].index("/", 8):]: proxy.run(
            "show", flow["flow"], "--case", "block", "--body", "request", "--raw", binary_output=True).out
            for flow in flows if flow["method"] == "POST"}
        self.check(len(flows) == 5 and shown == bodies and self.found(proxy, WATCHED),
                   "the case shows what the phone wanted to send, with every identifier found")
        return proxy

    def evidence(self, proxies):
        print("\nevidence")
        for proxy in proxies:
            name = proxy.config["case"]["name"]
            said = proxy.run("evidence", "verify", name, expect=None)
            self.check(said.code == 0 and "INTACT" in said.out, f"case {name} verifies: INTACT")
        proxy = proxies[0]
        source, copy = proxy.path / "cases/record", proxy.path / "cases/altered"
        shutil.copytree(source, copy)
        log = sorted((copy / "log").iterdir())[0]
        data = bytearray(log.read_bytes())
        lines = data.splitlines(keepends=True)
        number = next(index for index, line in enumerate(lines, 1) if b'"type":"finding"' in line)
        position = sum(map(len, lines[:number - 1])) + lines[number - 1].index(b'"type":"finding"') + 9
        data[position] ^= 1
        log.write_bytes(data)
        said = proxy.run("evidence", "verify", "altered", expect=None)
        self.check(said.code == 1 and "ALTERED" in said.out and f"seq {number}" in said.out,
                   f"one flipped byte in a copy is named: ALTERED at seq {number}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", type=pathlib.Path, help="the tidewaiter to run (default: the newest that was built)")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the cases in this folder, which must not exist yet")
    arguments = parser.parse_args()
    built = [harness.REPOSITORY / ".build" / kind / "tidewaiter" for kind in ("release", "debug")]
    present = [path for path in built if path.exists()]
    chosen = arguments.binary or max(present, key=lambda path: path.stat().st_mtime, default=None)
    if chosen is None or not chosen.exists():
        print(f"{chosen or 'tidewaiter'} is not there: run `make build`, or name it with --binary", file=sys.stderr)
        return 2
    if arguments.keep and arguments.keep.exists():
        print(f"{arguments.keep} exists: name a folder that does not", file=sys.stderr)
        return 2
    os.environ["TIDEWAITER_BIN"] = str(chosen.resolve())
    folder = arguments.keep.absolute() if arguments.keep else pathlib.Path(tempfile.mkdtemp(prefix="tidewaiter-demo-"))
    try:
        demo = Demo(folder)
        print("A simulated phone sends the identifiers of 2014 to a watched server and to one outside.")
        demo.evidence([demo.record(), demo.redact(), demo.block()])
        if arguments.keep:
            print(f"\nThe cases are in {folder}: for example, in {folder / 'record'}, `tidewaiter findings --case record`.")
        print(f"\n{'everything is as promised' if not demo.failures else f'{demo.failures} promises are not kept'}")
        return 1 if demo.failures else 0
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
