"""Each way around a region rule that docs/regions.md lists: the server in the region sees no connection."""

import json
import signal

import pki
from dns_server import AAAA, NameServer, address, alias
from harness import GEOIP, RULES_BLOCK, LoopbackTest, eventually, lines_of
from origins import Origin
from wire import Truncated

INSIDE, OUTSIDE = "127.66.0.1", "127.0.0.1"
NAMES = [f"{name}.example" for name in ("inside", "outside", "both", "mixed", "rebind", "alias", "six", "front", "slow", "late")]


class Dodges(LoopbackTest):
    weight = 3

    def setUp(self):
        """One port, a server of the region and one outside of it: only the address tells them apart."""
        leaf = pki.shared().leaf(*NAMES)
        for _ in range(20):
            self.inside = Origin(leaf=leaf, address=INSIDE)
            try:
                self.outside = Origin(leaf=leaf, address=OUTSIDE, port=self.inside.port)
                break
            except OSError:
                self.inside.close()
        self.addCleanup(self.inside.close)
        self.addCleanup(self.outside.close)
        self.port = self.inside.port

    def serve(self, zone, *, rules=RULES_BLOCK, mode="block", config=None, resolver=None):
        self.dns = self.enterContext(NameServer(zone))
        settings = {"upstream": {"resolver": resolver or [self.dns.address]}, "timeouts": {"dns": "2s"}}
        for key, value in (config or {}).items():
            settings.setdefault(key, {}).update(value)
        return self.proxy(mode=mode, rules=rules, config=settings)

    def status(self, proxy, host, path="/", *, sni=None, fields=()):
        """What a device gets for a request to `host`: the status of CONNECT if it is refused, else the answer's."""
        answer, wire = proxy.connect(f"{host}:{self.port}")
        with wire:
            if answer.status != 200:
                return answer.status
            wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname=sni or host)
            return wire.request("GET", path, f"{sni or host}:{self.port}", None, fields).status

    def assertUntouched(self):
        self.assertEqual(self.inside.accepted, 0, "a TCP connection reached the region")

    # Names

    def test_rebinding(self):
        """A name that leads outside first and inside next is dialled where it was judged, and blocked when it leads inside."""
        answers = iter([OUTSIDE, INSIDE, INSIDE, INSIDE])

        def rebinding(question):
            if question.type == AAAA:
                return question.answer()
            return question.answer(address(question.spelling, next(answers), ttl=0))

        proxy = self.serve({"rebind.example": rebinding})
        self.assertEqual(self.status(proxy, "rebind.example"), 200)
        self.assertEqual(self.dns.count("rebind.example"), 1, "resolved once: there is no second answer to be had")
        self.assertEqual(self.outside.accepted, 1)
        self.assertEqual(self.status(proxy, "rebind.example"), 451)
        self.assertUntouched()

    def test_any_address(self):
        """A name of which one address lies in the region is bound for it, whatever its place and however many there are."""
        outside = [f"127.0.1.{number}" for number in range(1, 41)]
        proxy = self.serve({"both.example": [OUTSIDE, INSIDE], "mixed.example": [*outside, INSIDE]})
        self.assertEqual(self.status(proxy, "both.example"), 451)
        self.assertEqual(self.status(proxy, "mixed.example"), 451, "beyond the addresses that are dialled")
        self.assertEqual(self.outside.accepted, 0)
        self.assertUntouched()

    def test_fail_over(self):
        """With `candidates: allowed-only` a dead server outside is not failed over from to one inside."""
        rules = RULES_BLOCK + "    candidates: allowed-only\n"
        proxy = self.serve({"both.example": ["127.0.9.9", INSIDE], "mixed.example": ["127.0.9.9", INSIDE, OUTSIDE]}, rules=rules)
        self.assertEqual(self.status(proxy, "both.example"), 502)
        self.assertEqual(self.status(proxy, "mixed.example"), 200)
        self.assertEqual(self.outside.accepted, 1)
        self.assertUntouched()

    def test_alias(self):
        """A chain of aliases is followed to its addresses, in one answer or in several, and a name in it counts for rules."""
        chain = {f"c{number}.example": lambda question, number=number: question.answer(alias(question.spelling, f"c{number + 1}.example"))
                 for number in range(4)}
        rules = RULES_BLOCK + ("  - id: no-cdn\n    when: { host: ['*.cdn.example'] }\n    then: block\n")
        proxy = self.serve({**chain, "c4.example": INSIDE, "alias.example": ">edge.example", "edge.example": INSIDE,
                            "front.example": ">x.cdn.example", "x.cdn.example": OUTSIDE}, rules=rules)
        for name in ("c0.example", "alias.example", "front.example"):
            self.assertEqual(self.status(proxy, name), 451, name)
        self.assertEqual(self.outside.accepted, 0)
        self.assertUntouched()

    def test_endless_aliases(self):
        """A chain without an end is a failure that says so."""
        zone = {f"c{number}.example": lambda question, number=number: question.answer(alias(question.spelling, f"c{(number + 1) % 12}.example"))
                for number in range(12)}
        proxy = self.serve(zone)
        answer, wire = proxy.connect(f"c0.example:{self.port}")
        wire.close()
        self.assertEqual(answer.status, 504)
        flow = eventually(lambda: [flow for flow in proxy.flows() if flow.get("error")])[0]
        self.assertIn("aliases", json.dumps(flow["error"]))

    def test_set_of_names(self):
        """A set's `host` counts for a name in the chain of aliases too."""
        sets = {"regions": {"sets": {"vendor": {"country": "CN", "host": ["*.vendor.example"]}}}}
        proxy = self.serve({"alias.example": ">eu.vendor.example", "eu.vendor.example": OUTSIDE}, config=sets)
        self.assertEqual(self.status(proxy, "alias.example"), 451)
        self.assertEqual(self.outside.accepted, 0)

    def test_spelling_of_names(self):
        """Case and a trailing dot make no other name; a name that is not written in ASCII is refused."""
        rules = RULES_BLOCK + "  - id: no-outside\n    when: { host: [outside.example] }\n    then: block\n"
        proxy = self.serve({"inside.example": INSIDE, "outside.example": OUTSIDE}, rules=rules)
        for name in ("INSIDE.example", "inside.example.", "OutSide.Example", "outside.example."):
            self.assertEqual(self.status(proxy, name, sni=name.rstrip(".").lower()), 451, name)
        for name in ("inside.example..", "\u5185.example", "inside\u3002example", "%69nside.example", "user@inside.example", "user:x@inside.example"):
            answer, wire = proxy.connect(name.encode().decode("latin-1") + f":{self.port}")
            wire.close()
            self.assertEqual(answer.status, 400, name)
        self.assertEqual(self.outside.accepted, 0)
        self.assertUntouched()

    # Addresses

    def test_spelling_of_addresses(self):
        """Every spelling of an address of the region is that address: decimal, octal, hexadecimal, short, in brackets, with a zone."""
        proxy = self.serve({})
        for text in ("127.66.0.1", "127.66.1", "2135031809", "0x7f420001", "0x7F.66.1", "0177.0102.0.1", "0177.0x42.1", "127.66.0.1.",
                     "[::ffff:127.66.0.1]", "[::ffff:7f42:1]", "[0:0:0:0:0:ffff:127.66.0.1]", "[::ffff:127.66.0.1%lo]"):
            self.assertIn(self.status(proxy, text, sni="inside.example"), (451, 403), text)
        self.assertEqual(self.dns.count("2135031809"), 0, "an address is not looked up")
        for text in ("127.66.0.1.5", "127.66.0.999", "08.8.8.8", "[127.66.0.1]", "[::1", "::1]", "inside.example.127"):
            answer, wire = proxy.connect(f"{text}:{self.port}")
            wire.close()
            self.assertIn(answer.status, (400, 403), text)
        self.assertUntouched()

    def test_carried_addresses(self):
        """IPv6 addresses that carry one of the region's IPv4 addresses go where that goes: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP."""
        teredo_client = "%x:%x" % (0x7f42 ^ 0xffff, 0x0001 ^ 0xffff)
        carried = ["::ffff:127.66.0.1", "::127.66.0.1", "::ffff:0:127.66.0.1", "64:ff9b::7f42:1", "64:ff9b:1::7f42:1",
                   "64:ff9b:1:7f42:0:100::", "2002:7f42:1::1", f"2001:0:c633:6401:0:0:{teredo_client}", "2001:0:7f42:1:0:0:3d44:9afe",
                   "2001:db8:1:2:0:5efe:127.66.0.1", "2001:db8:1:2:200:5efe:127.66.0.1"]
        everything = {"upstream": {"allow_special_use": ["0.0.0.0/0", "::/0"]}}
        names = {f"six{number}.example": text for number, text in enumerate(carried)}
        proxy = self.serve(names, config=everything)
        for name, text in names.items():
            rows = proxy.rows("region", "lookup", text.split("%")[0])
            self.assertTrue(any("lab-cn" in row["sets"] for row in rows), f"{text}: {rows}")
            answer, wire = proxy.connect(f"{name}:{self.port}")
            wire.close()
            flow = proxy.flow_of(name, ended=False) if answer.status != 200 else None
            self.assertEqual(self.refused(proxy, name, answer, flow), "nothing-to-watched-regions", text)
        self.assertUntouched()

    def refused(self, proxy, name, answer, flow):
        """The rule that the decision on a name was made by."""
        def look():
            lines = [json.loads(line) for line in lines_of(proxy.case)]
            return [line for line in lines if line["type"] == "decided" and line["authority"].startswith(name)]
        found = eventually(look)
        self.assertEqual(found[-1]["decision"], "sinkhole", found)
        return found[-1]["rule"]

    # What names a server beside the CONNECT

    def test_server_name_and_host(self):
        """A server name or Host of another server is refused before it is looked up; where it is judged, it is looked up and blocked."""
        zone = {"outside.example": OUTSIDE, "inside.example": INSIDE}
        refusing = self.serve(zone)
        with self.assertRaises(OSError):
            self.status(refusing, "outside.example", sni="inside.example")
        with refusing.tunnel("outside.example", self.port) as wire:
            self.assertEqual(wire.request("GET", "/", f"inside.example:{self.port}").status, 421)
        judging = self.serve(zone, config={"tls": {"fronting": "judge"}})
        answer, wire = judging.connect(f"outside.example:{self.port}")
        with wire:
            wire.sock = judging.context().wrap_socket(wire.sock, server_hostname="inside.example")
            self.assertEqual(wire.request("GET", "/", f"inside.example:{self.port}").status, 451)
        with judging.tunnel("outside.example", self.port) as wire:
            self.assertEqual(wire.request("GET", "/own", f"outside.example:{self.port}").status, 200)
            self.assertEqual(wire.request("GET", "/hidden", f"inside.example:{self.port}").status, 451)
        self.assertNotIn("/hidden", [request.target for request in self.outside.requests])
        self.assertUntouched()

    def test_address_with_server_name(self):
        """CONNECT to an address outside, with the server name of a server inside, is blocked before a byte goes on."""
        proxy = self.serve({"inside.example": INSIDE})
        answer, wire = proxy.connect(f"{OUTSIDE}:{self.port}")
        self.assertEqual(answer.status, 200)
        with wire:
            wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname="inside.example")
            self.assertEqual(wire.request("GET", "/", f"inside.example:{self.port}").status, 451)
        self.assertEqual(self.outside.requests, [])
        self.assertUntouched()

    def test_resolver_that_does_not_answer(self):
        """In block mode a server name that nobody can look up is not let through; in record mode it is."""
        zone = {"slow.example": lambda question: None}
        for mode, passes in (("block", False), ("record", True)):
            proxy = self.serve(zone, mode=mode)
            answer, wire = proxy.connect(f"{OUTSIDE}:{self.port}")
            with wire:
                try:
                    wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname="slow.example")
                    status = wire.request("GET", "/", f"slow.example:{self.port}").status
                except (OSError, Truncated):
                    status = None
            self.assertEqual(status, 200 if passes else None, mode)

    # Time

    def test_reload(self):
        """A connection that is kept alive is of no more use once a reload puts its server into the region."""
        proxy = self.serve({"late.example": OUTSIDE})
        with proxy.tunnel("late.example", self.port) as wire:
            self.assertEqual(wire.request("GET", "/before", f"late.example:{self.port}").status, 200)
            proxy.write("geoip", "2130706432,2130706687,CN\n" + GEOIP)
            proxy.signal(signal.SIGHUP)
            self.assertTrue(eventually(lambda: any("reloaded" in line for line in proxy.errors + proxy.lines)))
            self.assertEqual(wire.request("GET", "/reused", f"late.example:{self.port}").status, 451)
        self.assertEqual(self.status(proxy, "late.example", "/after"), 451)
        self.assertEqual([request.target for request in self.outside.requests], ["/before"])
