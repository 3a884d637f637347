"""Recording without change, reloading, and the command line of rules and regions."""

import base64
import hashlib
import json
import os
import pathlib
import select
import signal
import ssl
import subprocess

from harness import RULES_BLOCK, Folder, LoopbackTest, binary, environment_with, eventually
from identifiers import CARRIER, HOSTS, IMEI, IMSI, OUTSIDE, OWN, WATCHED, both_servers, cut_digest
from ports import listener
from wire import Truncated


class Recording(LoopbackTest):
    def test_record_changes_nothing(self):
        """In record mode everything arrives as it was sent, and everything is found."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS)
        body = json.dumps({"imei": IMEI, "h": cut_digest(IMSI), "tel": OWN, "op": CARRIER}).encode()
        proxy.fetch(WATCHED, watched.port, f"/r?tel=0955555501", "POST", body, [("X-Id", IMEI), ("Content-Type", "application/json")])
        request = watched.requests[0]
        self.assertEqual((request.body, request.get("X-Id"), request.target), (body, IMEI, "/r?tel=0955555501"))
        proxy.flow_of("/r?")
        found = {(finding["kind"], finding["location"]) for finding in proxy.findings()}
        for expected in (("imei", "body"), ("imei", "header"), ("imsi", "body"), ("msisdn", "body"), ("carrier", "body"),
                         ("contact_phone", "query")):
            self.assertIn(expected, found)
        for finding in [finding for finding in proxy.findings() if finding["direction"] == "request"]:
            self.assertEqual((finding["decided"], finding["applied"]), ("redact", "log"))
            self.assertTrue(finding["value"].startswith("hmac:"), finding)

    def test_observe_keeps_no_bodies(self):
        """Observe mode keeps flows and findings, and no body."""
        watched, _ = both_servers(self)
        proxy = self.proxy(mode="observe", hosts=HOSTS)
        sent = b"secret words " + IMEI.encode()
        proxy.fetch(WATCHED, watched.port, "/observed", "POST", sent)
        proxy.flow_of("/observed")
        self.assertTrue(eventually(lambda: [f for f in proxy.findings() if f["kind"] == "imei"]))
        proxy.stop()
        # the servers' certificates are kept there, by their digests as bodies are
        kept = {file.name for file in (proxy.case / "bodies").rglob("*") if file.is_file()}
        for body in (sent, b"POST /observed"):
            self.assertNotIn(hashlib.sha256(body).hexdigest(), kept)
        log = b"".join(file.read_bytes() for file in (proxy.case / "log").iterdir())
        self.assertNotIn(b"secret words", log)
        self.assertNotIn(base64.b64encode(b"secret words ")[:16], log)

    def test_region_of_a_flow(self):
        """A flow says which region it went to, the candidates, and the device's name."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS)
        proxy.fetch(WATCHED, watched.port, "/where")
        flow = proxy.flow_of("/where")
        self.assertEqual((flow["device"], flow["address"], flow["host"], flow["sni"], flow["method"], flow["port"]),
                         ("phone", "127.66.0.1", WATCHED, WATCHED, "GET", watched.port))
        self.assertIn(flow["region"], ("CN", "lab-cn"))
        self.assertIn("127.66.0.1", json.dumps(flow["candidates"]))
        self.assertEqual([row["flow"] for row in proxy.flows("region:CN")], [flow["flow"]])
        self.assertEqual(proxy.flows(f"-host:{WATCHED}"), [])


    def test_plain_http_in_a_tunnel(self):
        """Plain HTTP inside a CONNECT tunnel arrives unchanged in record mode, and its flow is not called decrypted TLS."""
        server = self.origin()
        proxy = self.proxy(hosts=HOSTS)
        answer, wire = proxy.connect(f"{OUTSIDE}:{server.port}")
        with wire:
            self.assertEqual(answer.status, 200)
            self.assertEqual(wire.request("GET", "/in-the-clear", f"{OUTSIDE}:{server.port}").body, b"GET /in-the-clear")
        flows = eventually(lambda: [flow for flow in proxy.flows() if flow["port"] == server.port])
        self.assertTrue(flows)
        self.assertFalse(flows[0]["url"].startswith("https:") and flows[0]["treatment"] == "intercepted")


    def test_server_that_speaks_first(self):
        """A tunnel to a server that speaks first works, its flow ends when either side closes, and the proxy stops in order."""
        proxy = self.proxy(hosts=HOSTS)
        for closing in ("client", "server"):
            with self.subTest(closing=closing), listener() as listening:
                port = listening.getsockname()[1]
                answer, wire = proxy.connect(f"{OUTSIDE}:{port}")
                listening.settimeout(10)
                server, _ = listening.accept()
                with wire, server:
                    server.settimeout(10)
                    server.sendall(b"220 ready\r\n")
                    self.assertEqual(wire.until(b"\r\n", "a greeting"), b"220 ready")
                    wire.send(b"QUIT\r\n")
                    self.assertEqual(server.recv(100), b"QUIT\r\n")
                    if closing == "client":
                        wire.close()
                        self.assertEqual(server.recv(100), b"")
                    else:
                        server.close()
                        self.assertTrue(wire.is_at_end())
                flow = eventually(lambda: [flow for flow in proxy.flows() if flow["port"] == port and flow["ended"]])
                self.assertTrue(flow, "the tunnel's flow does not end")
                self.assertEqual((flow[0]["treatment"], flow[0]["protocol"]), ("intercepted", "tcp"))
        proxy.stop()


    def test_log_without_payload(self):
        """The program's log never shows payload, at any level."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS, config={"log": {"level": "debug"}})
        proxy.fetch(WATCHED, watched.port, f"/logged?imei={IMEI}", "POST", f"tel={OWN}".encode(), [("X-Imei", IMEI)])
        with self.assertRaises((ssl.SSLError, OSError)):
            proxy.tunnel(WATCHED, watched.port, context=ssl.create_default_context())
        proxy.flow_of("/logged")
        proxy.stop()
        for line in proxy.lines + proxy.errors:
            self.assertNotIn(IMEI, line)
            self.assertNotIn(OWN[1:], line)

    def test_follow(self):
        """flows --follow shows flows as they end."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS)
        follower = subprocess.Popen([binary(), "flows", "--case", "case", "--json", "--follow"], cwd=proxy.path,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                    env=environment_with())
        try:
            for number in range(2):
                proxy.fetch(WATCHED, watched.port, f"/followed/{number}")
                ready, _, _ = select.select([follower.stdout], [], [], 10)
                self.assertTrue(ready, "nothing is shown")
                self.assertIn(f"/followed/{number}", json.loads(follower.stdout.readline())["url"])
        finally:
            follower.kill()
            follower.wait()
            follower.stdout.close()


class Reload(LoopbackTest):
    def test_reload(self):
        """SIGHUP puts a new rule in force, a broken file keeps the old ones and says why; `reload` does the same."""
        watched, _ = both_servers(self)
        allow = "version: 1\nrules:\n  - id: log-it\n    when: { region: [watched] }\n    then: log\n"
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=allow)
        def status():
            return proxy.fetch(WATCHED, watched.port, "/").status
        self.assertEqual(status(), 200)
        proxy.write("rules.yaml", RULES_BLOCK)
        proxy.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: status() == 451))
        proxy.write("rules.yaml", RULES_BLOCK.replace("region:", "regoin:"))
        proxy.signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: any("rules.yaml:5:" in line for line in proxy.errors + proxy.lines)))
        self.assertEqual(status(), 451)
        done = proxy.run("reload", expect=None)
        self.assertNotEqual(done.code, 0)
        self.assertIn("rules.yaml:5:", done.err + done.out)
        proxy.write("rules.yaml", allow)
        proxy.run("reload")
        self.assertTrue(eventually(lambda: status() == 200))


    def test_live_connections(self):
        """A reload judges the next request on a connection that was open before."""
        watched, _ = both_servers(self)
        allow = "version: 1\nrules:\n  - id: log-it\n    when: { region: [watched] }\n    then: log\n"
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=allow)
        host = f"{WATCHED}:{watched.port}"
        with proxy.tunnel(WATCHED, watched.port) as wire:
            self.assertEqual(wire.request("GET", "/before", host).status, 200)
            proxy.write("rules.yaml", RULES_BLOCK)
            proxy.run("reload")
            try:
                self.assertEqual(wire.request("GET", "/after", host).status, 451)
            except (OSError, Truncated):
                pass  # a connection that is closed instead is as good
        self.assertNotIn(b"/after", watched.received)


class CommandLine(LoopbackTest):
    def folder(self, **arguments):
        folder = Folder(**arguments)
        self.addCleanup(folder.close)
        return folder

    def test_check_names_the_place(self):
        """rules check names file, line and column of every problem and exits 2, or 0 for a good file."""
        folder = self.folder()
        folder.run("rules", "check", "rules.yaml")
        folder.write("bad.yaml", "version: 1\nrules:\n  - id: one\n    when: { regoin: [CN] }\n    then: block\n"
                     "  - id: two\n    when: { region: [CN] }\n    then: blok\n")
        done = folder.run("rules", "check", "bad.yaml", expect=None)
        self.assertIn(done.code, (1, 2))
        self.assertIn("bad.yaml:4:13", done.err + done.out)
        self.assertIn('"region"', done.err + done.out)
        self.assertRegex(done.err + done.out, r"bad\.yaml:8:11")

    def test_check_knows_regions(self):
        """rules check refuses a region that is neither a country, a set nor a word."""
        folder = self.folder()
        folder.write("bad.yaml", "version: 1\nrules:\n  - id: one\n    when: { region: [lab-nc] }\n    then: block\n")
        done = folder.run("rules", "check", "bad.yaml", expect=None)
        self.assertIn(done.code, (1, 2))
        self.assertIn("bad.yaml:4:", done.err + done.out)
        self.assertIn("lab-nc", done.err + done.out)

    def test_check_refuses_how_in_the_wrong_place(self):
        """rules check refuses `how` on a rule that cannot be decided before dialling."""
        folder = self.folder()
        folder.write("bad.yaml", "version: 1\nrules:\n  - id: one\n    when: { finding: [imei] }\n    then: block\n    how: refuse\n")
        done = folder.run("rules", "check", "bad.yaml", expect=None)
        self.assertIn(done.code, (1, 2))
        self.assertIn("how", done.err + done.out)

    def test_default_rules(self):
        """The rule file of the repository is good and has three rules."""
        folder = self.folder()
        rules = pathlib.Path(__file__).resolve().parents[2] / "rules/default.yaml"
        self.assertIn("3", folder.run("rules", "check", rules).out)

    def test_explain(self):
        """rules explain says for a URL which rule would match, without a proxy running."""
        folder = self.folder(hosts=HOSTS, rules=RULES_BLOCK)
        said = folder.run("rules", "explain", f"https://{WATCHED}/", "--device", "phone").out
        self.assertIn("nothing-to-watched-regions", said)
        self.assertIn("block", said)
        self.assertIn("127.66.0.1", said)

    def test_explain_flow(self):
        """rules explain says for a recorded flow why it was decided so."""
        watched, _ = both_servers(self)
        proxy = self.proxy(hosts=HOSTS)
        proxy.fetch(WATCHED, watched.port, f"/explained?imei={IMEI}")
        flow = proxy.flow_of("/explained")
        said = proxy.run("rules", "explain", "--case", "case", "--flow", flow["flow"]).out
        self.assertIn("identifiers-to-watched-regions", said)

    def test_lookup_in_the_real_table(self):
        """region lookup finds Chinese addresses in Debian's table, and says which database said so."""
        if not os.path.exists("/usr/share/tor/geoip"):
            self.skipTest("tor-geoipdb missing")
        folder = self.folder(config={"regions": {"databases": ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"]}})
        for address in ("114.114.114.114", "1.2.4.8", "::ffff:114.114.114.114", "240e::1"):
            with self.subTest(address):
                said = folder.run("region", "lookup", address).out
                self.assertIn("CN", said)
                self.assertIn("geoip", said)
        self.assertNotIn("CN", folder.run("region", "lookup", "8.8.8.8").out.replace("lab-cn", ""))

    def test_lookup_in_a_set(self):
        """region lookup of an address in a named set says the set; of an odd literal, the address it means."""
        folder = self.folder()
        self.assertIn("lab-cn", folder.run("region", "lookup", "127.66.3.4").out)
        self.assertIn("lab-cn", folder.run("region", "lookup", "0x7f420304").out)
        self.assertIn("CN", json.dumps(folder.rows("region", "lookup", "203.0.113.9")))
        self.assertIn("lab-cn", folder.run("region", "list").out)
