"""Block mode: what a rule forbids does not leave, and what the address decides is not even dialled."""

import json
import ssl

import pki
from harness import RULES_BLOCK, RULES_REDACT, LoopbackTest, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, OWN, WATCHED, both_servers
from origins import Origin
from wire import Truncated


def content(stream):
    """What came of one chunked request's body, even if it was cut anywhere."""
    _, _, rest = stream.partition(b"\r\n\r\n")
    data = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        data += rest[:count]
        rest = rest[count + 2:]
    return data


class Blocking(LoopbackTest):
    """Block mode: what the address decides is decided before a connection is made."""

    def setUp(self):
        self.watched, self.outside = both_servers(self)

    def test_sinkhole(self):
        """The watched server sees no TCP connection, the device a 451 that names the rule, the case what it wanted to send."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        body = json.dumps({"imei": IMEI, "tel": OWN}).encode()
        answer = proxy.fetch(WATCHED, self.watched.port, "/upload?x=1", "POST", body)
        self.assertEqual(answer.status, 451)
        self.assertIn(b"nothing-to-watched-regions", answer.body)
        self.assertEqual(proxy.fetch(OUTSIDE, self.outside.port, "/elsewhere", "POST", body).status, 200)
        self.assertEqual(self.watched.accepted, 0)
        flow = proxy.flow_of("/upload")
        self.assertEqual((flow["treatment"], flow["applied"], flow["rule"], flow["status"]),
                         ("sinkhole", "block", "nothing-to-watched-regions", 451))
        shown = proxy.run("show", flow["flow"], "--case", "case", "--body", "request", "--raw", binary_output=True).out
        self.assertEqual(shown, body)
        self.assertIn("imei", {finding["kind"] for finding in proxy.findings() if finding["flow"] == flow["flow"]})

    def test_sinkhole_json(self):
        """A client that asks for JSON gets the block as JSON."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        answer = proxy.fetch(WATCHED, self.watched.port, "/", fields=[("Accept", "application/json")])
        self.assertEqual(answer.status, 451)
        self.assertIn("nothing-to-watched-regions", json.dumps(json.loads(answer.body)))

    def test_sinkhole_plain(self):
        """Plain HTTP to a watched server is blocked the same way."""
        server = self.origin(address="127.66.0.1")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        with proxy.dial() as wire:
            host = f"{WATCHED}:{server.port}"
            self.assertEqual(wire.request("POST", f"http://{host}/plain", host, b"imei=" + IMEI.encode()).status, 451)
        self.assertEqual(server.accepted, 0)

    def test_by_address(self):
        """CONNECT to an address of the region is blocked as its name is."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        answer, wire = proxy.connect(f"127.66.0.1:{self.watched.port}")
        with wire:
            if answer.status == 200:
                context = proxy.context()
                wire.sock = context.wrap_socket(wire.sock, server_hostname=WATCHED)
                answer = wire.request("GET", "/", WATCHED)
        self.assertEqual(answer.status, 451)
        self.assertEqual(self.watched.accepted, 0)

    def test_one_candidate_is_enough(self):
        """A name of which one address lies in the region is blocked, unless the rule takes the allowed ones only."""
        hosts = {"mixed.example": ["127.0.0.1", "127.66.0.1"]}
        proxy = self.proxy(mode="block", hosts=hosts, rules=RULES_BLOCK)
        leaf = pki.shared().leaf("mixed.example")
        server = self.enterContext(Origin(leaf=leaf))
        self.assertEqual(proxy.fetch("mixed.example", server.port, "/").status, 451)
        self.assertEqual(server.accepted, 0)
        lenient = self.proxy(mode="block", hosts=hosts, rules=RULES_BLOCK + "    candidates: allowed-only\n")
        self.assertEqual(lenient.fetch("mixed.example", server.port, "/").status, 200)

    def test_refuse(self):
        """`how: refuse` answers the CONNECT with 403 that names the rule, and dials nothing."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK + "    how: refuse\n")
        answer, wire = proxy.connect(f"{WATCHED}:{self.watched.port}")
        wire.close()
        self.assertEqual(answer.status, 403)
        self.assertIn(b"nothing-to-watched-regions", answer.body)
        self.assertEqual(self.watched.accepted, 0)

    def test_record_says_what_block_would_do(self):
        """In record mode a block rule changes nothing, and the flow says what was decided."""
        proxy = self.proxy(mode="record", hosts=HOSTS, rules=RULES_BLOCK)
        self.assertEqual(proxy.fetch(WATCHED, self.watched.port, "/would-block").status, 200)
        flow = proxy.flow_of("/would-block")
        self.assertEqual((flow["decided"], flow["applied"], flow["rule"], flow["region"]),
                         ("block", "log", "nothing-to-watched-regions", "lab-cn"))

    def test_finding_never_partly_arrives(self):
        """In block mode an identifier split over records and chunks never partly arrives; of what is held, nothing does."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        # more than is held (1 MiB) goes on, as far as no match may begin in it
        tries = ((1, 200_000), (4, 200_000), (11, 1_500_000))
        for number, (size, before) in enumerate(tries):
            with self.subTest(size=size, before=before):
                count = len(self.watched.connections)
                with proxy.tunnel(WATCHED, self.watched.port) as wire:
                    wire.send(f"POST /split HTTP/1.1\r\nHost: {WATCHED}:{self.watched.port}\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n".encode())
                    wire.send(b"%x\r\n%s\r\n" % (before, b"a" * before))
                    text = b'"id":"' + IMEI.encode() + b'"' + b"b" * 64
                    try:
                        # each piece a chunk and a TLS record of its own
                        for start in range(0, len(text), size):
                            piece = text[start:start + size]
                            wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                        wire.send(b"0\r\n\r\n")
                        self.assertEqual(wire.response().status, 451)
                    except (OSError, Truncated):
                        pass  # the answer may be lost when the upload is cut
                arrived = content(b"".join(bytes(connection.received) for connection in self.watched.connections[count:]))
                self.assertEqual(arrived.startswith(b"a" * 1000), before > 1 << 20)
                self.assertNotIn(IMEI[:3].encode(), arrived)
                flow = self.ended_flow(proxy, "/split", count=number + 1)
                # what was on its way when the connection was cut may not have been read by the server
                self.assertLessEqual(len(arrived), flow["exposure"])
                self.assertLessEqual(flow["exposure"], max(0, before + len(text) - (1 << 20)))

    def ended_flow(self, proxy, word, count):
        """The newest flow with a word in its URL, once as many as `count` are over."""
        def look():
            flows = [flow for flow in proxy.flows() if word in flow["url"] and flow["ended"]]
            return len(flows) == count and flows[-1]
        return eventually(look)

    def test_block_by_query(self):
        """A finding in the query is answered 451 and nothing of the request arrives."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        self.assertEqual(proxy.fetch(WATCHED, self.watched.port, f"/q?imei={IMEI}").status, 451)
        self.assertNotIn(b"/q?imei", self.watched.received)
        self.assertEqual(proxy.fetch(OUTSIDE, self.outside.port, f"/q?imei={IMEI}").status, 200)

    def test_hold_body(self):
        """`hold: body` leaves not one byte of the body to a server when the body is blocked."""
        rules = RULES_REDACT.replace("then: redact", "then: block\n    hold: body")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        body = b"a" * 300_000 + IMEI.encode()
        answer = proxy.fetch(WATCHED, self.watched.port, "/held", "POST", body)
        self.assertEqual(answer.status, 451)
        self.assertNotIn(b"aaaa", self.watched.received)
        self.assertIn(proxy.flow_of("/held")["exposure"], (0, None))

    def test_by_size(self):
        """A rule on size counts a chunked body when it reaches the figure."""
        rules = ("version: 1\nrules:\n  - id: uploads\n    when: { region: [watched], method: [POST], size: \">=64KiB\" }\n"
                 "    then: block\n")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        self.assertEqual(proxy.fetch(WATCHED, self.watched.port, "/small", "POST", b"x" * 1000).status, 200)
        self.assertEqual(proxy.fetch(WATCHED, self.watched.port, "/big", "POST", b"x" * 70_000).status, 451)
        count = len(self.watched.connections)
        with proxy.tunnel(WATCHED, self.watched.port) as wire:
            wire.send(f"POST /chunks HTTP/1.1\r\nHost: {WATCHED}:{self.watched.port}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            try:
                for _ in range(100):
                    wire.send(b"400\r\n" + b"y" * 1024 + b"\r\n")
                wire.send(b"0\r\n\r\n")
                self.assertEqual(wire.response().status, 451)
            except (OSError, Truncated):
                pass
        arrived = sum(bytes(connection.received).count(b"y") for connection in self.watched.connections[count:])
        self.assertLess(arrived, 65_536 + 1)

    def test_not_tls_to_a_named_region(self):
        """TLS-58: In block mode bytes that are not TLS do not go to a region that a rule names."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        server = self.origin(address="127.66.0.1")
        answer, wire = proxy.connect(f"{WATCHED}:{server.port}")
        with wire:
            try:
                wire.send(b"\x00\x01hello " + IMEI.encode())
                wire.to_end()
            except ConnectionError:
                pass
        self.assertEqual(server.received, b"")

    def test_upgrade(self):
        """After a 101 nothing uninspected goes to a region that a rule names."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        arrived = []

        def handler(exchange):
            exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            arrived.append(exchange.wire.to_end())
            return False

        server = self.tls_origin(WATCHED, handler=handler, address="127.66.0.1")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        with proxy.tunnel(WATCHED, server.port) as wire:
            try:
                wire.request("GET", "/socket", f"{WATCHED}:{server.port}", fields=[
                    ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
                    ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")])
                wire.send(b"\x82\x0f" + IMEI.encode())
                wire.sock.settimeout(2)
                wire.to_end()
            except (OSError, Truncated):
                pass
        server.close()
        self.assertNotIn(IMEI.encode(), server.received)

    def test_learned_passthrough(self):
        """A device that rejects our certificate again and again gets no undecrypted way to a region that a rule names."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        context = ssl.create_default_context(cafile=str(pki.shared().roots))
        for _ in range(5):  # more than tls.learn_passthrough.after
            with self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
                proxy.tunnel(WATCHED, self.watched.port, context=context).close()
        self.assertEqual(self.watched.received, b"")

    def test_configured_passthrough(self):
        """TLS-61: In block mode a host under tls.passthrough is not passed through to a region that a rule names."""
        rules = RULES_REDACT.replace("then: redact", "then: block")
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=rules, config={"tls": {"passthrough": [WATCHED, OUTSIDE]}})
        context = ssl.create_default_context(cafile=str(pki.shared().roots))
        with self.assertRaises((ssl.SSLError, ConnectionError, AssertionError)):
            proxy.tunnel(WATCHED, self.watched.port, context=context).close()
        self.assertEqual(self.watched.received, b"")
        with proxy.tunnel(OUTSIDE, self.outside.port, context=context) as wire:
            self.assertEqual(wire.request("GET", "/", f"{OUTSIDE}:{self.outside.port}").status, 200)

    def test_fronting_into_the_region(self):
        """TLS-53: With `tls.fronting: judge` a Host that leads into the region is blocked as the region is."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=(
            "version: 1\nrules:\n  - id: not-there\n    when: { host: [watched.example] }\n    then: block\n"),
            config={"tls": {"fronting": "judge"}})
        with proxy.tunnel(OUTSIDE, self.outside.port) as wire:
            self.assertEqual(wire.request("GET", "/fronted", WATCHED).status, 451)
        self.assertNotIn(b"/fronted", self.outside.received)
