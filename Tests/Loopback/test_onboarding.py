"""The page that takes a device through its set-up."""

import json
import plistlib
import ssl

from harness import LoopbackTest, Proxy

SITE, CHECK = "tidewaiter.internal", "check.tidewaiter.internal"


class Onboarding(LoopbackTest):
    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy())

    def direct(self, path, fields=(), proxy=None):
        proxy = proxy or self.shared
        with proxy.dial() as wire:
            return wire.request("GET", path, f"127.0.0.1:{proxy.port}", fields=[*fields, ("Connection", "close")])

    def proxied(self, path, fields=(), proxy=None):
        with (proxy or self.shared).dial() as wire:
            return wire.request("GET", f"http://{SITE}{path}", SITE, fields=[*fields, ("Connection", "close")])

    def test_both_languages_both_ways(self):
        """The page comes in English and Traditional Chinese, directly and through the proxy."""
        for ask in (self.direct, self.proxied):
            english = ask("/", [("Accept-Language", "en-GB,en;q=0.9")])
            chinese = ask("/", [("Accept-Language", "zh-TW,zh;q=0.9,en;q=0.5")])
            self.assertEqual((english.status, chinese.status), (200, 200))
            self.assertIn("text/html", english.get("Content-Type"))
            self.assertIn("consent", english.body.decode())
            self.assertIn("同意", chinese.body.decode())
            self.assertIn("憑證", chinese.body.decode())
            self.assertIn("同意", ask("/?lang=zh-TW").body.decode())

    def test_no_external_asset(self):
        """The page loads nothing from elsewhere but its own probe."""
        page = self.direct("/").body.decode()
        for attribute in ('src="http', "src='http", '<link rel="stylesheet" href="http', "@import"):
            self.assertNotIn(attribute, page.replace(f'src="https://{CHECK}', ""))
        self.assertIn(f"127.0.0.1:{self.shared.port}".split(":")[1], page)

    def test_automatic_configuration(self):
        """/proxy.pac sends everything to the address that it was fetched from, and nothing around it."""
        for ask in (self.direct, self.proxied):
            answer = ask("/proxy.pac")
            self.assertEqual(answer.get("Content-Type"), "application/x-ns-proxy-autoconfig")
            self.assertIn("FindProxyForURL", answer.body.decode())
            self.assertIn(f":{self.shared.port}", answer.body.decode())
            self.assertNotIn("DIRECT", answer.body.decode())

    def test_certificate(self):
        """/ca.crt is the authority's certificate in DER, /ca.pem in PEM, and the key is nowhere."""
        pem = (self.shared.path / "certs/ca.crt").read_text()
        answer = self.direct("/ca.crt")
        self.assertEqual(answer.get("Content-Type"), "application/x-x509-ca-cert")
        self.assertEqual(answer.body, ssl.PEM_cert_to_DER_cert(pem))
        self.assertEqual(ssl.PEM_cert_to_DER_cert(self.proxied("/ca.pem").body.decode()), answer.body)
        self.assertEqual(self.direct("/ca.key").status, 404)

    def test_mobile_profile(self):
        """The .mobileconfig is a property list with the authority's certificate as a root."""
        answer = self.direct("/tidewaiter.mobileconfig")
        self.assertEqual(answer.get("Content-Type"), "application/x-apple-aspen-config")
        profile = plistlib.loads(answer.body)
        self.assertEqual(profile["PayloadType"], "Configuration")
        payload = profile["PayloadContent"][0]
        self.assertEqual(payload["PayloadType"], "com.apple.security.root")
        self.assertEqual(payload["PayloadContent"], self.direct("/ca.crt").body)

    def test_progress(self):
        """status.json goes from step to step as the device sets itself up."""
        proxy = self.proxy()
        def status(ask):
            found = json.loads(ask("/status.json", proxy=proxy).body)
            return found["reached"], found["through_proxy"], found["certificate_trusted"]
        self.assertEqual(status(self.direct), (True, False, False))
        self.proxied("/", proxy=proxy)
        self.assertEqual(status(self.direct), (True, True, False))
        with self.assertRaises(ssl.SSLCertVerificationError):
            proxy.tunnel(CHECK, 443, context=ssl.create_default_context())
        self.assertEqual(status(self.direct), (True, True, False))
        answer = proxy.fetch(CHECK, 443, "/ok")
        self.assertEqual((answer.status, answer.get("Access-Control-Allow-Origin")), (204, "*"))
        self.assertEqual(status(self.direct), (True, True, True))

    def test_other_paths_and_methods(self):
        """An unknown path is 404, a method that would change something 405, and HEAD has no body."""
        self.assertEqual(self.direct("/nothing").status, 404)
        with self.shared.dial() as wire:
            host = f"127.0.0.1:{self.shared.port}"
            head = wire.request("HEAD", "/", host)
            self.assertEqual((head.status, head.body), (200, b""))
            self.assertEqual(wire.request("POST", "/", host, b"x=1").status, 405)

    def test_banner(self):
        """The terminal shows mode and case, the addresses, the rules, a QR code, and `ready` alone in its line."""
        text = "\n".join(self.shared.lines)
        self.assertRegex(text, r"Tidewaiter \d+\.\d+\.\d+\s+mode: record\s+case: cases/case")
        for words in ("proxy ", "phone ", "regions ", "rules "):
            self.assertIn("\n" + words, text)
        self.assertRegex(text, "[▀▄█]")
        self.assertEqual(self.shared.lines.count("ready"), 1)

    def test_clients_elsewhere(self):
        """A client whose address listen.allow does not name gets no service."""
        proxy = self.proxy(config={"listen": {"allow": ["198.51.100.0/24"]}, "loops": 1})
        with proxy.dial() as wire:
            try:
                wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = wire.head()
            except ConnectionError:
                answer = None
            self.assertTrue(answer is None or answer.status == 403)
