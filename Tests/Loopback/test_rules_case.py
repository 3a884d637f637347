"""Rules tried on recorded cases and explained key by key; sets in rule files; canaries."""

import json
import ssl
import stat

import pki
from harness import DEVICE, REPOSITORY, RULES_BLOCK, RULES_REDACT, Folder, LoopbackTest, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, WATCHED, both_servers

NOTHING = "version: 1\nrules:\n  - id: nothing\n    when: { host: [nowhere.example] }\n    then: log\n"


def by_path(report):
    return {row["url"].rsplit("/", 1)[-1].split("?")[0]: row for row in report["flows"]}


class Replay(LoopbackTest):
    def recorded(self, mode="record", **arguments):
        """A case with a flow that has an IMEI to the watched region, one without, and one elsewhere."""
        watched, outside = both_servers(self)
        proxy = self.proxy(mode=mode, hosts=HOSTS, **arguments)
        proxy.fetch(WATCHED, watched.port, f"/found?imei={IMEI}", "POST", b"x", [("X-Sdk", "vendor/1")])
        proxy.fetch(WATCHED, watched.port, "/clean")
        proxy.fetch(OUTSIDE, outside.port, f"/elsewhere?imei={IMEI}")
        proxy.flow_of("/elsewhere")
        self.assertTrue(eventually(lambda: len([flow for flow in proxy.flows() if flow["ended"]]) == 3))
        return proxy

    def test_the_same_rules(self):
        """rules test with the rules of the recording changes nothing, and says what each mode would do."""
        proxy = self.recorded()
        report = json.loads(proxy.run("rules", "test", "--case", "case", "--json").out)
        rows = by_path(report)
        self.assertEqual({name: row["change"] for name, row in rows.items()},
                         {"found": "same", "clean": "same", "elsewhere": "same"})
        self.assertEqual(rows["found"]["was"], {"decided": "redact", "applied": "log", "rule": "identifiers-to-watched-regions"})
        self.assertEqual({mode["mode"]: mode["applied"] for mode in rows["found"]["modes"]},
                         {"observe": "log", "record": "log", "redact": "redact", "block": "redact"})
        self.assertEqual(report["rules"][0], {"rule": "identifiers-to-watched-regions", "action": "redact",
                                              "matches": 1, "decides": 1, "unknown": 0})
        self.assertFalse(report["sealed"])
        self.assertTrue(any("findings are those of the recording" in limit for limit in report["limits"]))
        said = proxy.run("rules", "test", "--case", "case").out
        self.assertIn("block mode: redact", said)
        self.assertIn("3 same", said)

    def test_a_rule_that_is_gone(self):
        """Rules that would let pass what was to be redacted end with 1 and name the flow, on a sealed case too."""
        proxy = self.recorded()
        proxy.write("nothing.yaml", NOTHING)
        for sealed in (False, True):
            with self.subTest(sealed=sealed):
                done = proxy.run("rules", "test", "--case", "case", "nothing.yaml", expect=1)
                flow = proxy.flows("path:/found")[0]["flow"]
                self.assertIn(f"would now pass: {flow}", done.out)
                report = json.loads(proxy.run("rules", "test", "--case", "case", "--json", "nothing.yaml", expect=1).out)
                self.assertEqual((report["passing"], report["sealed"]), ([flow], sealed))
                self.assertEqual(by_path(report)["found"]["change"], "passes")
            if not sealed:
                proxy.stop()
        proxy.run("evidence", "verify", "case")

    def test_stricter_rules(self):
        """Stricter rules on a record case show which flows would be blocked before dialling, and end with 0."""
        proxy = self.recorded()
        proxy.write("block.yaml", RULES_BLOCK)
        rows = by_path(json.loads(proxy.run("rules", "test", "--case", "case", "--json", "block.yaml").out))
        self.assertEqual({name: (row["decided"], row["change"]) for name, row in rows.items()},
                         {"found": ("block", "stricter"), "clean": ("block", "stricter"), "elsewhere": ("allow", "same")})
        self.assertEqual(rows["clean"]["modes"][-1]["applied"], "block")

    def test_what_was_blocked(self):
        """Blocked flows of a block case are blocked again by the same rules, and pass without them."""
        watched, _ = both_servers(self)
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        self.assertEqual(proxy.fetch(WATCHED, watched.port, "/stopped").status, 451)
        proxy.flow_of("/stopped")
        proxy.stop()
        row = by_path(json.loads(proxy.run("rules", "test", "--case", "case", "--json").out))["stopped"]
        self.assertEqual((row["decided"], row["change"], row["rule"]), ("block", "same", "nothing-to-watched-regions"))
        proxy.write("nothing.yaml", NOTHING)
        proxy.run("rules", "test", "--case", "case", "nothing.yaml", expect=1)

    def test_what_failed_closed(self):
        """What was refused because it could not be redacted is refused again by the same rules, and without them passes."""
        watched, _ = both_servers(self)
        proxy = self.proxy(mode="redact", hosts=HOSTS, config={"inspect": {"hold_limit": "4KiB"}})
        proxy.fetch(WATCHED, watched.port, "/large", "POST", bytes(range(1, 251)) * 200)
        flow = proxy.flow_of("/large")
        self.assertEqual((flow["applied"], flow["error"] and flow["error"]["code"]), ("block", "not-redactable"))
        row = by_path(json.loads(proxy.run("rules", "test", "--case", "case", "--json").out))["large"]
        self.assertEqual((row["change"], row["modes"][-1]["applied"]), ("same", "block"))
        proxy.write("nothing.yaml", NOTHING)
        proxy.run("rules", "test", "--case", "case", "nothing.yaml", expect=1)

    def test_what_is_not_decrypted(self):
        """Of a tunnel that was passed the content is not known, and the enforcing modes would refuse it."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS, config={"tls": {"passthrough": [WATCHED]}})
        with proxy.tunnel(WATCHED, watched.port, context=ssl.create_default_context(cafile=str(pki.shared().roots))) as wire:
            self.assertEqual(wire.request("GET", "/unseen", f"{WATCHED}:{watched.port}", None, [("Connection", "close")]).status, 200)
        flow = eventually(lambda: [flow for flow in proxy.flows("treatment:passthrough") if flow["ended"]])[0]["flow"]
        report = json.loads(proxy.run("rules", "test", "--case", "case", "--json").out)
        row = [row for row in report["flows"] if row["flow"] == flow][0]
        self.assertEqual(row["unknown"], ["identifiers-to-watched-regions: finding"])
        self.assertEqual({mode["mode"]: mode["applied"] for mode in row["modes"]},
                         {"observe": "allow", "record": "allow", "redact": "block", "block": "block"})
        self.assertEqual(report["rules"][0]["unknown"], 1)

    def test_heads_and_sizes(self):
        """Rules on header, method, size, path and device are judged on what was recorded."""
        proxy = self.recorded()
        proxy.write("keys.yaml", """version: 1
rules:
  - { id: by-header, when: { header.X-Sdk: "vendor/*" }, then: log }
  - { id: by-method-and-size, when: { method: POST, size: ">=1" }, then: log }
  - { id: by-path, when: { path: /clean }, then: log }
  - { id: by-answer, when: { direction: response, path: /clean }, then: log }
  - { id: by-device, when: { device: phone, port: 1-65535, host: "*.example" }, then: log }
  - { id: by-certainty, when: { certainty: certain, direction: request }, then: log }
""")
        report = json.loads(proxy.run("rules", "test", "--case", "case", "--json", "keys.yaml", expect=1).out)
        rows = by_path(report)
        self.assertEqual(set(rows["found"]["matches"]), {"by-header", "by-method-and-size", "by-device", "by-certainty"})
        self.assertEqual(set(rows["clean"]["matches"]), {"by-path", "by-answer", "by-device"})
        for word, count in (("header.x-sdk:vendor/*", 1), ("-header.x-sdk:*", 2), ("method:post size:>=1", 1), ("certainty:certain", 2)):
            self.assertEqual(len(proxy.flows(*word.split())), count, word)
        self.assertEqual({row["rule"]: row["matches"] for row in report["rules"]},
                         {"by-header": 1, "by-method-and-size": 1, "by-path": 1, "by-answer": 1, "by-device": 3, "by-certainty": 2})

    def test_what_observe_does_not_keep(self):
        """Of a case without heads, rules on header and type are said not to be known."""
        proxy = self.recorded(mode="observe")
        proxy.write("keys.yaml", "version: 1\nrules:\n  - { id: by-header, when: { header.x-sdk: '*' }, then: log }\n"
                    "  - { id: by-finding, when: { finding: imei }, then: redact }\n")
        report = json.loads(proxy.run("rules", "test", "--case", "case", "--json", "keys.yaml").out)
        rows = by_path(report)
        self.assertEqual(rows["found"]["unknown"], ["by-header: header.x-sdk"])
        self.assertEqual(rows["found"]["matches"], ["by-finding"])
        self.assertTrue(any("without a head" in limit for limit in report["limits"]))

    def test_nothing_is_changed(self):
        """rules test leaves log, bodies and seal as they are."""
        proxy = self.recorded()
        proxy.stop()
        def state():
            return {str(file): file.read_bytes() for file in sorted(proxy.case.rglob("*"))
                    if file.is_file() and not file.name.startswith("flows.sqlite")}
        before = state()
        proxy.run("rules", "test", "--case", "case")
        proxy.run("rules", "explain", "--case", "case", "--flow", "f-000001")
        self.assertEqual(state(), before)

    def test_flows_say_what_block_mode_would_do(self):
        """flows --json has what redact and block mode would have done."""
        proxy = self.recorded(rules=RULES_BLOCK)
        flows = {flow["url"].rsplit("/", 1)[-1].split("?")[0]: flow for flow in proxy.flows()}
        self.assertEqual((flows["clean"]["decided"], flows["clean"]["applied"]), ("block", "log"))
        self.assertEqual(flows["clean"]["shadow"], {"redact": "redact", "block": "block"})
        self.assertEqual(flows["elsewhere"]["shadow"], {"redact": "allow", "block": "allow"})

    def test_explain_key_by_key(self):
        """rules explain shows for a flow each key, what it asks, what it met, and what each mode would do."""
        proxy = self.recorded()
        flow = proxy.flows("path:/clean")[0]["flow"]
        said = json.loads(proxy.run("rules", "explain", "--case", "case", "--flow", flow, "--json").out)
        row = said["rules"][0]
        self.assertEqual([(key["key"], key["answer"]) for key in row["conditions"]],
                         [("region", "holds"), ("direction", "holds"), ("finding", "fails")])
        self.assertFalse(row["matches"])
        self.assertIn("rules.yaml:3:5", row["location"])
        self.assertEqual([mode["mode"] for mode in said["modes"]], ["observe", "record", "redact", "block"])
        found = proxy.flows("path:/found")[0]["flow"]
        text = proxy.run("rules", "explain", "--case", "case", "--flow", found).out
        self.assertIn("decided redact, applied log, rule identifiers-to-watched-regions decides", text)
        self.assertIn("imei (certain)", text)
        self.assertRegex(text, r"mode block +decided redact, applied redact")

    def test_explain_a_url(self):
        """Of a URL the destination's keys are answered and a message's are not known; each mode says if it dials."""
        folder = Folder(hosts=HOSTS, rules=RULES_BLOCK + RULES_REDACT.split("rules:\n")[1])
        self.addCleanup(folder.close)
        said = json.loads(folder.run("rules", "explain", f"https://{WATCHED}/x", "--device", "phone", "--json").out)
        self.assertEqual([row["matches"] for row in said["rules"]], [True, False])
        keys = {key["key"]: key["answer"] for key in said["rules"][1]["conditions"]}
        self.assertEqual(keys, {"region": "holds", "direction": "holds", "finding": "unknown"})
        notes = {mode["mode"]: mode["note"] for mode in said["modes"]}
        self.assertIn("dial 127.66.0.1", notes["record"])
        self.assertIn("sinkhole by rule nothing-to-watched-regions", notes["block"])


class Checking(LoopbackTest):
    def folder(self, **arguments):
        folder = Folder(**arguments)
        self.addCleanup(folder.close)
        return folder

    def refused(self, folder, text, *words):
        folder.write("bad.yaml", "version: 1\n" + text)
        done = folder.run("rules", "check", "bad.yaml", expect=1)
        for word in words:
            self.assertIn(word, done.err + done.out)

    def test_what_cannot_work(self):
        """rules check refuses, with the place, what can never decide or has no effect."""
        folder = self.folder()
        self.refused(folder, "rules:\n  - { id: a, when: { region: CN }, then: block }\n"
                     "  - { id: b, when: { region: lab-cn, method: GET }, then: log }\n", "bad.yaml:4:", "never decides: rule a")
        self.refused(folder, "rules:\n  - id: a\n    when: { region: CN }\n    then: log\n    hold: body\n", "bad.yaml:6:5", "hold is for")
        self.refused(folder, "rules:\n  - id: a\n    when: { host: x.example }\n    then: block\n    candidates: allowed-only\n",
                     "bad.yaml:6:5", "candidates is for")
        self.refused(folder, "rules:\n  - id: a\n    when: { device: fone }\n    then: log\n", "bad.yaml:4:13", "(there are phone)")
        self.refused(folder, "rules:\n  - id: a\n    when: { protocol: tls, path: /x }\n    then: log\n", "bad.yaml:4:28")
        self.refused(folder, "rules:\n  - id: a\n    when: { finding: imie }\n    then: log\n", "bad.yaml:4:22", '"imei"')

    def test_every_kind_that_is_found_is_known(self):
        """Rules may name what no profile lists: credentials, and bodies that nothing can read."""
        folder = self.folder(rules="version: 1\nrules:\n  - { id: a, when: { finding: [credential, opaque] }, then: log }\n")
        self.assertIn("no problem found", folder.run("rules", "check").out)

    def test_blind_rules_are_warned_of(self):
        """A rule by asn without a database that knows any is a warning of rules check, and of run."""
        text = "version: 1\nsets: { cloud: { asn: [64496] } }\nrules:\n  - { id: a, when: { region: cloud }, then: log }\n"
        folder = self.folder(rules=text)
        done = folder.run("rules", "check")
        self.assertIn("warning: rules.yaml:4:", done.out)
        self.assertIn("who is in cloud by asn cannot be told", done.out)
        proxy = self.proxy(rules=text)
        self.assertTrue([line for line in proxy.errors if "who is in cloud by asn cannot be told" in line])
        self.assertIn("cannot be told", proxy.run("reload").out)

    def test_sets_of_rule_files(self):
        """A set in a rule file is a region for rules, watch, region lookup and flows; a name used twice is refused."""
        rules = ("version: 1\nsets: { far: { cidr: [127.77.0.0/16] } }\n"
                 "rules:\n  - { id: far-away, when: { region: watched }, then: log }\n")
        folder = self.folder(rules=rules, config={"regions": {"watch": ["CN", "far"]}})
        folder.run("rules", "check")
        self.assertIn("far", folder.run("region", "lookup", "127.77.3.4").out)
        self.assertIn("far", folder.run("region", "list").out)
        self.assertIn("match  far-away", folder.run("rules", "explain", "127.77.3.4:443").out)
        folder.write("more.yaml", "version: 1\nsets: { far: {} }\n")
        done = folder.run("rules", "check", "rules.yaml", "more.yaml", expect=1)
        self.assertIn("more.yaml:2:9: sets.far: there is a set of this name already, at rules.yaml:2:9", done.err)
        folder.write("rules.yaml", NOTHING)
        done = folder.run("run", expect=2)
        self.assertIn("regions.watch: unknown region \"far\"", done.err)

    def test_a_set_by_autonomous_system(self):
        """With a database that knows autonomous systems, a set of a rule file blocks before dialling, and filters know it."""
        watched, _ = both_servers(self)
        database = REPOSITORY / "Tests/Fixtures/leaks/public/regions.mmdb"
        rules = ("version: 1\nsets: { vendor: { asn: [AS64512] } }\n"
                 "rules:\n  - { id: vendor, when: { region: vendor }, then: block, how: refuse }\n"
                 "  - { id: number, when: { asn: 64512, port: 1 }, then: block }\n")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules,
                           config={"regions": {"databases": ["geoip", "geoip6", str(database)], "sets": {}}})
        self.assertFalse([line for line in proxy.errors if "cannot be told" in line])
        answer, wire = proxy.connect(f"{WATCHED}:{watched.port}")
        wire.close()
        self.assertEqual(answer.status, 403)
        self.assertEqual(watched.requests, [])
        for word in ("region:vendor", "asn:64512", "asn:AS64512", "rule:vendor", "decided:block"):
            self.assertTrue(eventually(lambda: proxy.flows(word)), word)
        self.assertEqual(proxy.flows("-region:vendor"), [])
        said = proxy.run("rules", "explain", f"{WATCHED}:1").out
        self.assertIn("AS64512 (127.66.0.1)", said)

    def test_packs(self):
        """The packs of the repository are good, beside each other and beside the default rules."""
        folder = self.folder()
        packs = sorted(str(file) for file in (REPOSITORY / "rules").glob("*.yaml"))
        self.assertGreaterEqual(len(packs), 3)
        done = folder.run("rules", "check", *packs)
        self.assertIn("no problem found", done.out)
        self.assertIn("cannot be told", done.out)  # no database here knows autonomous systems


class Canaries(LoopbackTest):
    def test_canary(self):
        """device canary adds unique values to the profile, keeps its comments and its mode, and they are found."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS, device="# my own phone\n" + DEVICE)
        first = json.loads(proxy.run("device", "canary", "phone", "--json").out)
        second = json.loads(proxy.run("device", "canary", "phone", "--json").out)
        self.assertNotEqual(first["sms_text"], second["sms_text"])
        file = proxy.path / "devices/phone.yaml"
        text = file.read_text()
        self.assertTrue(text.startswith("# my own phone\n" + DEVICE))
        for planted in (first, second):
            for key in ("contact_name", "contact_phone", "sms_text"):
                self.assertIn(planted[key], text)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual([entry.name for entry in file.parent.iterdir()], ["phone.yaml"])
        proxy.run("reload")
        body = json.dumps({"n": first["contact_name"], "t": second["contact_phone"], "m": first["sms_text"]}).encode()
        proxy.fetch(WATCHED, watched.port, "/planted", "POST", body, [("Content-Type", "application/json")])
        proxy.flow_of("/planted")
        def kinds():
            return {(found["kind"], found["certainty"]) for found in proxy.findings() if found["location"] == "body"}
        wanted = {("contact_name", "certain"), ("contact_phone", "certain"), ("sms_text", "certain")}
        self.assertTrue(eventually(lambda: wanted <= kinds()), kinds())

    def test_instructions(self):
        """device canary says what to enter on the phone; a device that is not there is a problem."""
        folder = Folder()
        self.addCleanup(folder.close)
        folder.run("device", "add", "spare")
        said = folder.run("device", "canary", "spare").out
        self.assertRegex(said, r"name +Tide Waiter [A-Z0-9]{5}")
        self.assertRegex(said, r"phone \+447700900\d{3}")
        self.assertIn("contact_name 1", folder.run("device", "show", "spare").out)
        self.assertIn("device add nobody", folder.run("device", "canary", "nobody", expect=1).err)
