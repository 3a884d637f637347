"""Proxy authentication, and the pages by which the proxy itself answers."""

import base64
import json
import subprocess

import pki
from harness import RULES_BLOCK, RULES_REDACT, Folder, LoopbackTest, Proxy, environment_with, eventually
from identifiers import HOSTS, IMEI, OUTSIDE, WATCHED, both_servers
from origins import Origin

NAME = "origin.example"
# 24 characters, made for these tests alone.
TOKEN = "tide-token-0123456789abc"
PASSWORDS = {"anna": "an open secret", "björn": "pä:ss:wörd"}
USER_DEVICE = """\
name: tablet
match: { user: "anna" }
identifiers:
  imei: ["490154203237518"]
"""


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def authorization(value):
    return [] if value is None else [f"Proxy-Authorization: {value}".encode().decode("latin-1")]


class AuthTest(LoopbackTest):
    """A proxy that asks who is there, and a server behind it."""

    shared = None

    def tearDown(self):
        if self.shared:
            self.assertIsNone(self.shared.process.poll(), "the proxy died of it")

    def connect(self, value, proxy=None, host=None):
        """The answer to a CONNECT with some credentials."""
        answer, wire = (proxy or self.shared).connect(host or self.host, authorization(value))
        wire.close()
        return answer

    def fetch(self, value, path, proxy=None, server=None, name=NAME):
        """A request through a tunnel that was asked for with some credentials."""
        proxy, server = proxy or self.shared, server or self.server
        answer, wire = proxy.connect(f"{name}:{server.port}", authorization(value))
        self.addCleanup(wire.close)
        self.assertEqual(answer.status, 200, answer.body)
        wire.sock = proxy.context().wrap_socket(wire.sock, server_hostname=name)
        return wire.request("GET", path, f"{name}:{server.port}", fields=[("Connection", "close")])


class Passwords(AuthTest):
    """`listen.auth.basic`: an htpasswd file with bcrypt."""

    @classmethod
    def setUpClass(cls):
        cls().need("htpasswd")
        cls.lines = {}
        for user, password in PASSWORDS.items():
            # -C 4: the cheapest bcrypt, since each wrong try costs a whole one
            cls.lines[user] = subprocess.run(["htpasswd", "-nbB", "-C", "4", user, password], check=True, capture_output=True,
                                             timeout=20).stdout.decode().strip()
        cls.server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME)))
        cls.plain = cls.enterClassContext(Origin())
        cls.host = f"{NAME}:{cls.server.port}"
        cls.shared = cls.enterClassContext(cls.made(cls.lines.values()))

    @classmethod
    def made(cls, lines, **options):
        text = "# users\n" + "\n".join(lines) + "\n"
        return Proxy(hosts={NAME: "127.0.0.1", **HOSTS}, config={"listen": {"auth": {"basic": "users"}}},
                     before_start=lambda folder: folder.write("users", text), **options)

    def test_without(self):
        """Without credentials CONNECT and absolute-form are 407 with a challenge, and nothing is dialled."""
        before = self.plain.accepted
        for value in (None, "", "Basic", "Basic =", "Basic !!!!", "Bearer x", "Digest username=anna", "basic"):
            with self.subTest(value):
                answer = self.connect(value)
                self.assertEqual(answer.status, 407)
                self.assertRegex(answer.get("Proxy-Authenticate"), r'^Basic realm="[^"]+"')
                self.assertIn("tidewaiter", answer.get("Proxy-Status", ""))
                self.assertEqual(answer.get("Cache-Control"), "no-store")
        host = f"{NAME}:{self.plain.port}"
        with self.shared.dial() as wire:
            self.assertEqual(wire.request("GET", f"http://{host}/unknown", host).status, 407)
        self.assertEqual(self.plain.accepted, before)

    def test_wrong(self):
        """A wrong password, an unknown user and half of either are 407."""
        for user, password in (("anna", "wrong"), ("anna", ""), ("", ""), ("nobody", PASSWORDS["anna"]), ("anna", PASSWORDS["anna"] + " "),
                               ("ANNA", PASSWORDS["anna"]), ("anna", PASSWORDS["anna"] + "\0")):
            with self.subTest(user=user, password=password):
                self.assertEqual(self.connect(basic(user, password)).status, 407)

    def test_right(self):
        """The right ones pass, and the user is the flow's device; also with colons and letters beyond ASCII."""
        for number, (user, password) in enumerate(PASSWORDS.items()):
            with self.subTest(user):
                self.assertEqual(self.fetch(basic(user, password), f"/right/{number}").status, 200)
                self.assertEqual(self.shared.flow_of(f"/right/{number}")["device"], user)

    def test_again_after_407(self):
        """A client that is asked may answer on the same connection or a new one, and then goes on."""
        answer, wire = self.shared.connect(self.host)
        with wire:
            self.assertEqual(answer.status, 407)
            if (answer.get("Connection") or "").lower() != "close":
                wire.send(f"CONNECT {self.host} HTTP/1.1\r\nHost: {self.host}\r\nProxy-Authorization: "
                          f"{basic('anna', PASSWORDS['anna'])}\r\n\r\n".encode())
                self.assertEqual(wire.response("CONNECT").status, 200)
        self.assertEqual(self.connect(basic("anna", PASSWORDS["anna"])).status, 200)

    def test_each_request(self):
        """On a plain connection each request needs its own credentials, and another user's are judged anew."""
        host = f"{NAME}:{self.plain.port}"
        good = ("Proxy-Authorization", basic("anna", PASSWORDS["anna"]))
        with self.shared.dial() as wire:
            for number in range(3):
                self.assertEqual(wire.request("GET", f"http://{host}/each/{number}", host, fields=[good]).status, 200)
            self.assertEqual(wire.request("GET", f"http://{host}/each/none", host).status, 407)
        with self.shared.dial() as wire:
            self.assertEqual(wire.request("GET", f"http://{host}/each/4", host, fields=[good]).status, 200)
            wrong = ("Proxy-Authorization", basic("anna", "wrong"))
            self.assertEqual(wire.request("GET", f"http://{host}/each/wrong", host, fields=[wrong]).status, 407)
        targets = [request.target for request in self.plain.requests]
        self.assertFalse({"/each/none", "/each/wrong"} & set(targets))

    def test_doubled(self):
        """Two Proxy-Authorization fields are refused: nobody guesses which is meant."""
        good = f"Proxy-Authorization: {basic('anna', PASSWORDS['anna'])}"
        answer, wire = self.shared.connect(self.host, [good, "Proxy-Authorization: " + basic("anna", "wrong")])
        wire.close()
        self.assertIn(answer.status, (400, 407))

    def test_never_forwarded_or_kept(self):
        """Credentials reach no server, inside a tunnel or in absolute-form, and are nowhere in the case."""
        value = basic("anna", PASSWORDS["anna"])
        host = f"{NAME}:{self.plain.port}"
        proxy = self.enterContext(self.made(self.lines.values()))
        with proxy.dial() as wire:
            self.assertEqual(wire.request("GET", f"http://{host}/secret", host, fields=[("Proxy-Authorization", value)]).status, 200)
        self.fetch(value, "/secret-in-tunnel", proxy)
        self.connect(basic("anna", "a wrong secret"), proxy)
        secrets = [PASSWORDS["anna"].encode(), value.split(" ")[1].encode(), b"a wrong secret",
                   basic("anna", "a wrong secret").split(" ")[1].encode(), base64.b64encode(value.encode()).rstrip(b"=")[4:-4]]
        for data in (self.plain.received, self.server.received):
            self.assertNotIn(b"Proxy-Authorization", data)
            self.assertNotIn(secrets[1], data)
        proxy.stop()
        for file in proxy.case.rglob("*"):
            if file.is_file():
                for secret in secrets:
                    self.assertNotIn(secret, file.read_bytes(), file)
        for secret in secrets:
            self.assertNotIn(secret.decode(), "\n".join(proxy.lines + proxy.errors))

    def test_profile_of_the_user(self):
        """A device profile that names the user is the flow's device, and its identifiers are searched for."""
        proxy = self.enterContext(self.made(self.lines.values(), device=USER_DEVICE))
        self.fetch(basic("anna", PASSWORDS["anna"]), f"/profile?imei={IMEI}", proxy)
        flow = proxy.flow_of("/profile")
        self.assertEqual(flow["device"], "tablet")
        rows = eventually(lambda: [row for row in proxy.findings() if row["flow"] == flow["flow"]])
        self.assertEqual({(row["kind"], row["certainty"], row["device"]) for row in rows}, {("imei", "certain", "tablet")})

    def test_curl(self):
        """curl passes with --proxy-user, and is told 407 without it."""
        self.need("curl")

        def curl(*arguments):
            return subprocess.run(
                ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_connect} %{http_code}", "--proxy", self.shared.url,
                 "--cacert", self.shared.path / "certs/ca.crt", *arguments, f"https://{self.host}/curl"],
                capture_output=True, timeout=20, env=environment_with()).stdout.decode()

        self.assertEqual(curl("--proxy-user", f"anna:{PASSWORDS['anna']}"), "200 200")
        self.assertEqual(curl("--proxy-anyauth", "--proxy-user", f"anna:{PASSWORDS['anna']}"), "200 200")
        self.assertTrue(curl().startswith("407"))

    def test_setting_up_needs_none(self):
        """The pages for setting up a device are open to a client without credentials."""
        with self.shared.dial() as wire:
            self.assertEqual(wire.request("GET", "/", f"127.0.0.1:{self.shared.port}").status, 200)

    def test_reload(self):
        """A changed file is in force after a reload; a broken one keeps the old."""
        proxy = self.enterContext(self.made([self.lines["anna"]]))
        other = basic("björn", PASSWORDS["björn"])
        self.assertEqual(self.connect(other, proxy).status, 407)
        proxy.write("users", self.lines["björn"] + "\n")
        proxy.run("reload")
        self.assertEqual(self.connect(other, proxy).status, 200)
        self.assertEqual(self.connect(basic("anna", PASSWORDS["anna"]), proxy).status, 407)
        proxy.write("users", "anna:$apr1$abcdefgh$0123456789012345678901\n")
        proxy.run("reload", expect=None)
        self.assertEqual(self.connect(other, proxy).status, 200)

    def test_bad_files(self):
        """A file that is missing, empty of users or not bcrypt is one clear line that names it, and exit 2."""
        for name, text, words in (("missing", None, ["users"]),
                                  ("md5", "anna:$apr1$abcdefgh$0123456789012345678901\n", ["users:1", "bcrypt"]),
                                  ("sha1", "# c\nanna:{SHA}NWoZK3kTsExUV00Ywo1G5jlUKKs=\n", ["users:2", "bcrypt"]),
                                  ("plain", "anna:secret\n", ["users:1", "bcrypt"]), ("no colon", "anna\n", ["users:1"]),
                                  ("costly", "anna:$2y$31$" + "a" * 53 + "\n", ["users:1"])):
            with self.subTest(name):
                folder = Folder(config={"listen": {"auth": {"basic": "users"}}})
                self.addCleanup(folder.close)
                if text is not None:
                    folder.write("users", text)
                done = folder.run("run", "-c", "tidewaiter.yaml", expect=2)
                self.assertOneClearLine(done.err, *words)
                self.assertNotIn("secret", done.err)


class Tokens(AuthTest):
    """`listen.auth.tokens`: a name and a token a line."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME)))
        cls.host = f"{NAME}:{cls.server.port}"
        cls.shared = cls.enterClassContext(Proxy(
            hosts={NAME: "127.0.0.1"}, config={"listen": {"auth": {"tokens": "tokens"}}},
            before_start=lambda folder: folder.write("tokens", f"# NAME:TOKEN\nwatch:{TOKEN}\nother:{TOKEN[::-1]}\n").chmod(0o600)))

    def test_tokens(self):
        """A token passes as Bearer, and as user or password of Basic; its name is the device."""
        for number, value in enumerate((f"Bearer {TOKEN}", f"bearer {TOKEN}", basic("watch", TOKEN), basic("x", TOKEN), basic(TOKEN, ""))):
            with self.subTest(value):
                self.assertEqual(self.fetch(value, f"/token/{number}").status, 200)
                self.assertEqual(self.shared.flow_of(f"/token/{number}")["device"], "watch")

    def test_wrong_tokens(self):
        """Anything else is 407, with a challenge that a phone's dialog understands."""
        for value in (None, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}", "Bearer ", "Bearer watch",
                      basic("watch", "watch"), basic("", "")):
            with self.subTest(value):
                answer = self.connect(value)
                self.assertEqual(answer.status, 407)
                challenges = ", ".join(answer.all("Proxy-Authenticate"))
                self.assertIn("Basic realm=", challenges)

    def test_readable_by_others(self):
        """A file of tokens that others can read is one clear line that says how to mend it, and exit 2."""
        folder = Folder(config={"listen": {"auth": {"tokens": "tokens"}}})
        self.addCleanup(folder.close)
        folder.write("tokens", f"watch:{TOKEN}\n").chmod(0o644)
        self.assertOneClearLine(folder.run("run", "-c", "tidewaiter.yaml", expect=2).err, "tokens", "chmod 600")

    def test_short_token(self):
        """A token of less than 16 characters is one clear line that does not show it, and exit 2."""
        folder = Folder(config={"listen": {"auth": {"tokens": "tokens"}}})
        self.addCleanup(folder.close)
        folder.write("tokens", "watch:shortish\n").chmod(0o600)
        done = folder.run("run", "-c", "tidewaiter.yaml", expect=2)
        self.assertOneClearLine(done.err, "tokens:1")
        self.assertNotIn("shortish", done.err)


class Pages(LoopbackTest):
    """Every answer that is the proxy's own says so, and why."""

    def answers(self):
        """Refusals and failures of every kind: name, answer, words that its body must have."""
        watched, outside = both_servers(self)
        refused = self.enterContext(Origin())
        refused.close()
        rules = RULES_REDACT.replace("then: redact", "then: block")
        record = self.proxy(hosts={**HOSTS, "closed.example": "127.0.0.1", "inside.example": "10.1.2.3"},
                            config={"upstream": {"allow_special_use": ["127.0.0.0/8"]}})
        block = self.proxy(mode="block", hosts=HOSTS, rules=rules)
        sink = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        hung_up = self.tls_origin(OUTSIDE, handler=lambda exchange: False)

        def asked(accept):
            fields = [("Accept", accept)] if accept else []
            lines = [f"{name}: {value}" for name, value in fields]

            def connect(host):
                answer, wire = record.connect(host, lines)
                wire.close()
                return answer

            def fronted():
                with record.tunnel(OUTSIDE, outside.port) as wire:
                    return wire.request("GET", "/", "other.example", fields=fields)

            def malformed():
                with record.tunnel(OUTSIDE, outside.port) as wire:
                    wire.send("\r\n".join(["GET / HTTP/1.1", "X : y", *lines]).encode() + b"\r\n\r\n")
                    return wire.response()

            return {
                "blocked by content": (451, block.fetch(WATCHED, watched.port, f"/?imei={IMEI}", fields=fields),
                                       "identifiers-to-watched-regions"),
                "sinkhole": (451, sink.fetch(WATCHED, watched.port, "/", fields=fields), "nothing-to-watched-regions"),
                "refused connection": (502, connect(f"closed.example:{refused.port}"), "refused"),
                "special use": (403, connect("inside.example:443"), "10.1.2.3"),
                "no such name": (502, connect("no-such-name.invalid:443"), "no-such-name.invalid"),
                "no answer": (502, record.fetch(OUTSIDE, hung_up.port, "/", fields=fields), ""),
                "misdirected": (421, fronted(), ""),
                "malformed": (400, malformed(), ""),
            }
        return asked

    def test_pages(self):
        """Each has Proxy-Status with a registered error, is not cacheable, names its rule or cause, and is JSON if that is asked for."""
        # RFC 9209 §2.3
        registered = {
            "dns_timeout", "dns_error", "destination_not_found", "destination_unavailable", "destination_ip_prohibited",
            "destination_ip_unroutable", "connection_refused", "connection_terminated", "connection_timeout", "connection_read_timeout",
            "connection_write_timeout", "connection_limit_reached", "tls_protocol_error", "tls_certificate_error", "tls_alert_received",
            "http_request_error", "http_request_denied", "http_response_incomplete", "http_response_header_section_size",
            "http_response_header_size", "http_response_body_size", "http_response_trailer_section_size", "http_response_trailer_size",
            "http_response_transfer_coding", "http_response_content_coding", "http_response_timeout", "http_upgrade_failed",
            "http_protocol_error", "proxy_internal_response", "proxy_internal_error", "proxy_configuration_error", "proxy_loop_detected"}
        asked = self.answers()
        for accept in (None, "text/html", "application/json"):
            for name, (status, answer, words) in asked(accept).items():
                with self.subTest(name, accept=accept):
                    self.assertIn(answer.status, (status, 504) if name == "no such name" else (status,))
                    self.assertRegex(answer.get("Proxy-Status", ""), r'^tidewaiter; *error=[a-z_]+(;|$)')
                    self.assertIn(answer.get("Proxy-Status").split("error=")[1].split(";")[0].strip(), registered)
                    self.assertTrue(answer.get("Proxy-Status").isascii())
                    self.assertIn("no-store", answer.get("Cache-Control", ""))
                    self.assertIn(words.encode(), answer.body)
                    self.assertNotIn(IMEI.encode(), answer.body)
                    if accept == "application/json" and name != "malformed":  # a head that was not understood asks for nothing
                        self.assertTrue(answer.get("Content-Type").startswith("application/json"))
                        self.assertIsInstance(json.loads(answer.body), dict)
                    elif accept != "application/json":
                        self.assertTrue(answer.get("Content-Type").startswith("text/html"))
