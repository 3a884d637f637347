"""What the suites of TLS towards servers share: a proxy that trusts roots made for the test, and what it records."""

import json
import ssl

import pki_defects
from harness import LoopbackTest, Proxy, alert_of, eventually, lines_of, merged
from pki_defects import DOMAIN

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
GOOD = f"plain.{DOMAIN}"
HANDSHAKE_FAILED = ("handshake_failure", "alert_handshake_failure")  # as OpenSSL has it in one version and another


def trusting(pem=None, hosts=(GOOD,), config=None, **more):
    """A proxy's arguments: it trusts these roots, or the forged ones, and finds these hosts at 127.0.0.1."""
    found = hosts if isinstance(hosts, dict) else {name: "127.0.0.1" for name in hosts}
    first = more.pop("before_start", None)

    def write(proxy):
        proxy.write("forged.pem", pem or pki_defects.shared().roots_pem)
        if first:
            first(proxy)

    return {"hosts": found, "config": merged({"tls": {"upstream_roots": "forged.pem"}}, config or {}), "before_start": write, **more}


class VerificationTest(LoopbackTest):
    """A proxy that trusts the forged roots."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.defects = pki_defects.shared()
        names = [*cls.defects.bad, *cls.defects.good]
        cls.shared = cls.enterClassContext(Proxy(**trusting(hosts=names, **cls.settings)))

    def tearDown(self):
        self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def leaf(self):
        return self.defects.good[GOOD]

    def answered(self, host, port, proxy=None, path="/through", context=None):
        """The body of an answer that comes through a tunnel; the proxy's leaf is verified."""
        with (proxy or self.shared).tunnel(host, port, context=context) as wire:
            answer = wire.request("GET", path, f"{host}:{port}")
            self.assertEqual(answer.status, 200)
            return answer.body

    def refused(self, host, port, proxy=None, **tunnel):
        """The name of the alert that ends the handshake."""
        with self.assertRaises(ssl.SSLError) as caught:
            (proxy or self.shared).tunnel(host, port, **tunnel).close()
        return alert_of(caught.exception)

    def flow_at(self, port, proxy=None):
        """The last flow to a port that ended with an error."""
        found = eventually(lambda: [flow for flow in (proxy or self.shared).flows() if flow["port"] == port and flow["error"]])
        self.assertTrue(found, "no flow with an error")
        return found[-1]

    def errors_at(self, ports, proxy=None):
        """The errors of the last flows to some ports; asked once, because each look starts a program."""
        def look():
            rows = {flow["port"]: flow["error"] for flow in (proxy or self.shared).flows() if flow["error"]}
            return rows if set(ports) <= rows.keys() else None

        found = eventually(look)
        self.assertTrue(found, "a flow has no error")
        return found

    def lines_at(self, port, of_type, proxy=None, **members):
        """The log's lines of a type about connections to a port, as they are by now."""
        lines = [json.loads(line) for line in lines_of((proxy or self.shared).case)]
        connections = {line["connection"] for line in lines
                       if line["type"] == "decided" and line["authority"].endswith(f":{port}")}
        return [line for line in lines if line["type"] == of_type and line.get("connection") in connections
                and all(line.get(name) == value for name, value in members.items())]

    def handshake_at(self, port, proxy=None, count=1):
        """The `count`-th handshake with the server at a port, as recorded."""
        found = eventually(lambda: (rows := self.lines_at(port, "handshake", proxy, leg="upstream")) and rows[count - 1:])
        self.assertTrue(found, "no handshake is recorded")
        return found[0]

    def assertCovered(self, port, kind, proxy=None):
        """The case counts a connection to the port as one of the kind."""
        found = eventually(lambda: self.lines_at(port, "coverage", proxy, kind=kind))
        self.assertTrue(found, f"no {kind}: {self.lines_at(port, 'coverage', proxy)}")
        return found[-1]
