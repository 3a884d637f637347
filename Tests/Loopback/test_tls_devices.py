"""The side that devices see: versions, suites, what old attacks need, and every legal ClientHello (TLS-23, 32 to 38, 60)."""

import os
import select
import ssl
import subprocess
import time

import hello
import pki
from harness import LoopbackTest, Proxy, alert_of, environment_with, eventually, lines_of, parse_json
from hello import TLS10, TLS11, TLS12, TLS13
from origins import Origin
from tls13 import Client
from wire import Truncated

NAME, OTHER = "origin.example", "other.example"

# IANA's numbers of what must never be agreed on, by why.
WEAK_SUITES = {
    "NULL": (0x0001, 0x0002, 0x003B, 0x002C, 0x00B0, 0x00B4, 0xC001, 0xC006, 0xC00B, 0xC010, 0xC015),
    "anonymous": (0x0018, 0x001B, 0x0034, 0x003A, 0x006C, 0x006D, 0x00A6, 0x00A7, 0xC016, 0xC017, 0xC018, 0xC019),
    "export": (0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0017, 0x0019, 0x0062, 0x0064),
    "DES and 3DES": (0x0009, 0x000A, 0x000C, 0x000F, 0x0012, 0x0013, 0x0015, 0x0016, 0xC003, 0xC008, 0xC00D, 0xC012),
    "RC4": (0x0004, 0x0005, 0xC002, 0xC007, 0xC00C, 0xC011),
    "no forward secrecy": (0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D, 0xC09C, 0xC09D, 0xC0A0, 0xC0A1,
                           0x0041, 0x0084, 0x0096, 0xC004, 0xC005, 0xC025, 0xC026, 0xC02D, 0xC02E, 0xC031, 0xC032),
    "CBC": (0x0033, 0x0039, 0x0067, 0x006B, 0xC009, 0xC00A, 0xC013, 0xC014, 0xC023, 0xC024, 0xC027, 0xC028),
    "pre-shared keys": (0x008C, 0x008D, 0x00A8, 0x00A9, 0x00AC, 0xCCAB, 0xCCAC, 0xC035, 0xD001),
    "DHE": (0x009E, 0x009F, 0xCCAA, 0xC09E, 0xC09F, 0x00A2, 0x00A3),
}
EVERY_WEAK = tuple(suite for suites in WEAK_SUITES.values() for suite in suites)
# sect*, secp160 to secp256k1, brainpool, finite fields, explicit curves
SMALL_GROUPS = (*range(1, 23), 0xFF01, 0xFF02)


class Devices(LoopbackTest):
    """A proxy before a server of both versions, and one before which there is only TLS 1.2."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1", OTHER: "127.0.0.1"}, config=hello.PATIENT))
        leaf = pki.shared().leaf(NAME, OTHER)
        cls.server = cls.enterClassContext(Origin(leaf=leaf))
        cls.old = cls.enterClassContext(Origin(leaf=leaf))
        cls.old.context.maximum_version = ssl.TLSVersion.TLSv1_2
        cls.authority, cls.old_authority = f"{NAME}:{cls.server.port}", f"{NAME}:{cls.old.port}"

    def ask(self, message, authority=None, size=16384, version=TLS10):
        return hello.ask(self.shared, authority or self.authority, hello.records(message, size, version))

    def hello_12(self, *more, **changes):
        lists = {name: changes.pop(name) for name in ("groups", "signatures") if name in changes}
        return hello.client_hello(hello.extensions_12(NAME, *more, **lists), **changes)

    def assertRefused(self, said, *alerts):
        self.assertIsNone(said.hello, said)
        self.assertIn(said.alert, alerts or ("handshake_failure", "insufficient_security"), said)

    def assertServed(self, said, **expected):
        self.assertIsNotNone(said.hello, said)
        for name, value in expected.items():
            self.assertEqual(getattr(said.hello, name), value, said)
        return said.hello

    def client(self, authority=None, **options):
        """A TLS 1.3 client of our own in a tunnel."""
        reply, wire = self.shared.connect(authority or self.authority)
        self.addCleanup(wire.close)
        self.assertEqual(reply.status, 200)
        if "write" in options:
            options["write"] = options["write"](wire)
        return Client(wire, NAME, **options)

    def assertSpeaks(self, client):
        """The handshake was one, and what is inside the tunnel works; a hybrid share it cannot go on from."""
        if client.group != hello.HYBRID:
            self.assertEqual(client.get(self.authority), 200)


class Versions(Devices):
    def test_ssl2(self):
        """TLS-32: an SSL 2.0 hello gets no server hello: an alert or the end."""
        body = b"\1\0\2" + (9).to_bytes(2, "big") + b"\0\0" + (16).to_bytes(2, "big") \
            + b"\1\0\x80\7\0\xc0\5\0\x80" + os.urandom(16)
        data = (0x8000 | len(body)).to_bytes(2, "big") + body
        reply, wire = self.shared.connect(self.authority)
        with wire:
            wire.send(data)
            wire.sock.settimeout(30)
            said = wire.to_end()
        # an SSLv2 SERVER-HELLO has type 4 after its two bytes of length
        self.assertFalse(len(said) > 2 and said[0] & 0x80 and said[2] == 4, said)
        self.assertFalse(len(said) > 5 and said[0] == hello.HANDSHAKE, said)

    def test_old_versions(self):
        """TLS-32: hellos of SSL 3.0, TLS 1.0 and 1.1 end with protocol_version; TLS 1.2 and 1.3 are served."""
        # SSL 3.0 has no such alert: its handshake_failure stands for it
        for version, alert in ((0x0300, "handshake_failure"), (TLS10, "protocol_version"), (TLS11, "protocol_version")):
            with self.subTest(f"{version:#06x}"):
                message = self.hello_12(version=version, suites=hello.SUITES_12 + EVERY_WEAK)
                self.assertRefused(self.ask(message, version=min(version, TLS10)), alert)
        self.assertServed(self.ask(self.hello_12()), version=TLS12)
        with self.shared.tunnel(NAME, self.server.port) as wire:
            self.assertEqual(wire.sock.version(), "TLSv1.3")

    def test_old_versions_in_the_extension(self):
        """TLS-32: supported_versions that name only old ones end with protocol_version, whatever the legacy field says."""
        self.assertRefused(self.ask(self.hello_12(hello.versions(TLS11, TLS10, 0x0300))), "protocol_version")
        # a version that nobody knows yet is passed over
        self.assertServed(self.ask(self.hello_12(hello.versions(0x0305, TLS12, TLS11))), version=TLS12)

    def test_openssl_with_old_versions(self):
        """TLS-32: openssl with its security level down to 0 gets TLS 1.2 but neither 1.1 nor 1.0."""
        for option, is_served in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            with self.subTest(option):
                done = subprocess.run(
                    ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", self.authority,
                     "-servername", NAME, option, "-cipher", "ALL:@SECLEVEL=0"],
                    input=b"", capture_output=True, timeout=20)
                self.assertEqual(b"-----BEGIN CERTIFICATE-----" in done.stdout, is_served, done.stderr.decode())
                if not is_served:
                    self.assertIn(b"alert protocol version", done.stderr + done.stdout)

    def test_never_newer_than_the_server(self):
        """TLS-23: a device is shown no newer version than the server's, although it offers one."""
        for server, version in ((self.old, "TLSv1.2"), (self.server, "TLSv1.3")):
            with self.subTest(version), self.shared.tunnel(NAME, server.port) as wire:
                self.assertEqual(wire.sock.version(), version)
                self.assertEqual(wire.request("GET", "/", f"{NAME}:{server.port}").status, 200)
        said = self.ask(hello.client_hello(hello.extensions_12(
            NAME, hello.versions(TLS13, TLS12), hello.shares((hello.X25519, os.urandom(32)))),
            suites=hello.SUITES_13 + hello.SUITES_12), self.old_authority)
        self.assertServed(said, version=TLS12)

    def test_only_new_for_an_old_server(self):
        """TLS-23: a device that knows only TLS 1.3 is refused where the server knows only 1.2, with protocol_version."""
        context = self.shared.context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        before = self.old.received
        with self.assertRaises(ssl.SSLError) as caught:
            self.shared.tunnel(NAME, self.old.port, context=context)
        self.assertIn("protocol_version", alert_of(caught.exception))
        self.assertEqual(self.old.received, before)


class Suites(Devices):
    def test_weak_suites(self):
        """TLS-33: NULL, anonymous, export, DES, 3DES, RC4 and suites without forward secrecy are refused."""
        for name, suites in WEAK_SUITES.items():
            with self.subTest(name):
                self.assertRefused(self.ask(self.hello_12(suites=suites)))
        self.assertRefused(self.ask(self.hello_12(suites=EVERY_WEAK)))

    def test_good_suites(self):
        """TLS-33: ephemeral ECDH with AES-GCM or ChaCha20 is agreed on, also when it is offered last."""
        chosen = set()
        for suite in hello.SUITES_12[:3]:
            with self.subTest(f"{suite:#06x}"):
                chosen.add(self.assertServed(self.ask(self.hello_12(suites=(suite,))), suite=suite).suite)
        self.assertEqual(len(chosen), 3)
        self.assertServed(self.ask(self.hello_12(suites=EVERY_WEAK + (0xC02B,))), suite=0xC02B)

    def test_integrity_only_suites(self):
        """TLS-33: TLS 1.3 without encryption (RFC 9150) and with a shortened tag is refused."""
        share = hello.shares((hello.X25519, os.urandom(32)))
        extensions = hello.extensions_12(NAME, hello.versions(TLS13), share)
        for suites in ((0xC0B4, 0xC0B5), (0x1305,)):
            self.assertRefused(self.ask(hello.client_hello(extensions, suites=suites)))

    def test_aead_is_preferred(self):
        """TLS-34: CBC is off, so an AEAD suite wins against the device's order; CBC alone is refused."""
        cbc = WEAK_SUITES["CBC"]
        self.assertIn(self.assertServed(self.ask(self.hello_12(suites=cbc + hello.SUITES_12))).suite, hello.SUITES_12)
        self.assertRefused(self.ask(self.hello_12(suites=cbc)))

    def test_finite_fields(self):
        """TLS-34: there is no finite-field Diffie-Hellman of any size, in TLS 1.2 or 1.3."""
        self.assertRefused(self.ask(self.hello_12(suites=WEAK_SUITES["DHE"] + (0x0033, 0x0039, 0x0016))))
        fields = (0x100, 0x101, 0x102)
        self.assertRefused(self.ask(hello.client_hello(hello.extensions_12(
            NAME, hello.versions(TLS13), hello.shares((0x100, os.urandom(256))), groups=fields), suites=hello.SUITES_13)))

    def test_small_curves(self):
        """TLS-34: curves below P-256, binary, Koblitz and explicit ones are refused, and passed over beside a good one."""
        self.assertRefused(self.ask(self.hello_12(groups=SMALL_GROUPS)))
        said = self.ask(self.hello_12(groups=SMALL_GROUPS + (hello.P256,)))
        self.assertServed(said)
        key = said.message(hello.SERVER_KEY)
        self.assertEqual((key[0], int.from_bytes(key[1:3], "big")), (3, hello.P256))  # 3: a named curve
        self.assertRefused(self.ask(hello.client_hello(hello.extensions_12(
            NAME, hello.versions(TLS13), hello.shares((22, b"\4" + os.urandom(64))), groups=SMALL_GROUPS),
            suites=hello.SUITES_13)))

    def test_sha1_signatures(self):
        """TLS-34: the handshake is never signed with SHA-1 or MD5, neither if nothing else is offered nor if nothing is said."""
        weak = (0x0203, 0x0201, 0x0202, 0x0101, 0x0103)
        self.assertRefused(self.ask(self.hello_12(signatures=weak)))
        silent = [pair for pair in hello.extensions_12(NAME) if pair[0] != hello.SIGNATURES]
        self.assertRefused(self.ask(hello.client_hello(silent)))
        said = self.ask(self.hello_12(signatures=weak + (0x0403,)))
        self.assertServed(said)
        self.assertEqual(said.signature, 0x0403)


class OldAttacks(Devices):
    def test_compression(self):
        """TLS-35: compression is not agreed on, and a TLS 1.3 hello that offers it is refused as the RFC says."""
        self.assertServed(self.ask(self.hello_12(compression=b"\1\0")), compression=0)
        self.assertIsNone(self.ask(self.hello_12(compression=b"\1")).hello)
        self.assertRefused(self.ask(hello.client_hello(hello.extensions_12(
            NAME, hello.versions(TLS13), hello.shares((hello.X25519, os.urandom(32)))),
            suites=hello.SUITES_13, compression=b"\1\0")), "illegal_parameter")

    def test_heartbeat(self):
        """TLS-35: heartbeat is not agreed on, and a heartbeat record is not answered with one."""
        said = self.ask(self.hello_12((hello.HEARTBEAT, b"\1")))
        self.assertNotIn(hello.HEARTBEAT, self.assertServed(said).extensions)
        reply, wire = self.shared.connect(self.authority)
        with wire:
            wire.send(hello.records(self.hello_12((hello.HEARTBEAT, b"\1"))))
            self.assertServed(hello.answer(wire))
            wire.send(b"\x18\x03\x03\0\3\1\x40\0")  # 16,384 bytes asked for, none sent
            try:
                kind, content = hello.record(wire)
                self.assertEqual(kind, hello.ALERT)
            except (Truncated, OSError):
                pass
            self.assertNotIn(b"\x18\x03\x03", wire.to_end()[:3])

    def test_early_change_of_ciphers(self):
        """TLS-35: a change_cipher_spec before the keys are agreed on ends the handshake (CVE-2014-0224)."""
        reply, wire = self.shared.connect(self.authority)
        with wire:
            wire.send(hello.records(self.hello_12()))
            self.assertServed(hello.answer(wire))
            wire.send(b"\x14\x03\x03\0\1\1")
            self.assertEqual(hello.answer(wire).alert, "unexpected_message")

    def test_renegotiation(self):
        """TLS-35: a device cannot renegotiate; what it said before is served."""
        with subprocess.Popen(
                ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", self.authority,
                 "-servername", NAME, "-tls1_2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, env=environment_with()) as client:
            said = b""
            while b"Secure Renegotiation" not in said:
                piece = os.read(client.stdout.fileno(), 65536)
                self.assertTrue(piece, said.decode())
                said += piece
            client.stdin.write(b"R\n")  # s_client's command
            client.stdin.flush()
            said += client.communicate(timeout=20)[0]
        self.assertIn(b"Secure Renegotiation IS supported", said)
        self.assertIn(b"RENEGOTIATING", said)
        self.assertIn(b"no renegotiation", said)

    def test_secure_renegotiation_and_master_secret(self):
        """TLS-35: secure renegotiation and the extended master secret are answered, the former also to its SCSV."""
        said = self.assertServed(self.ask(self.hello_12()))
        self.assertEqual(said.extensions[hello.RENEGOTIATION], b"\0")
        self.assertEqual(said.extensions[hello.EMS], b"")
        extensions = [pair for pair in hello.extensions_12(NAME) if pair[0] != hello.RENEGOTIATION]
        said = self.ask(hello.client_hello(extensions, suites=(*hello.SUITES_12, hello.RENEGOTIATION_SCSV)))
        self.assertEqual(self.assertServed(said).extensions[hello.RENEGOTIATION], b"\0")
        lying = self.ask(self.hello_12((hello.RENEGOTIATION, hello.vector(1, b"x" * 12))))
        self.assertRefused(lying, "handshake_failure")

    def test_downgrade_sentinel(self):
        """TLS-35: a device that comes with TLS 1.2 where 1.3 is to be had finds the sentinel, and no other device does."""
        self.assertEqual(self.assertServed(self.ask(self.hello_12())).random[-8:], hello.DOWNGRADE_12)
        # before a server of TLS 1.2 we are one: with the sentinel every device that knows 1.3 would have to give up
        both = hello.client_hello(hello.extensions_12(
            NAME, hello.versions(TLS13, TLS12), hello.shares((hello.X25519, os.urandom(32)))),
            suites=hello.SUITES_13 + hello.SUITES_12)
        self.assertNotEqual(self.assertServed(self.ask(both, self.old_authority), version=TLS12).random[-8:],
                            hello.DOWNGRADE_12)
        self.assertNotEqual(self.assertServed(self.ask(both), version=TLS13).random[-8:], hello.DOWNGRADE_12)

    def test_fallback(self):
        """TLS-35: a second try with a lower version (FALLBACK_SCSV) ends with inappropriate_fallback where 1.3 is to be had."""
        again = self.hello_12(suites=(*hello.SUITES_12, hello.FALLBACK_SCSV))
        self.assertRefused(self.ask(again), "inappropriate_fallback")
        self.assertServed(self.ask(again, self.old_authority), version=TLS12)


class LegalHellos(Devices):
    def test_one_byte_at_a_time(self):
        """TLS-36: a hello in segments of one byte is served, by TLS 1.2 and 1.3."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                reply, wire = self.shared.connect(self.authority)
                with wire:
                    session, _ = hello.speak(self.shared.context(version), wire, NAME, step=1)
                    self.assertEqual(session.version().replace("v1.", "v1_"), version.name)

    def test_many_records(self):
        """TLS-36: a hello in records of one byte each, of 100, and of any size is served."""
        for size in (1, 100, 4096):
            with self.subTest(size):
                self.assertSpeaks(self.client(record=size))
                self.assertServed(self.ask(self.hello_12(), size=size))

    def test_records_and_segments(self):
        """TLS-36: records of seven bytes in segments of five are served."""
        def pieces(wire):
            return lambda data: [wire.send(data[start:start + 5]) for start in range(0, len(data), 5)]
        self.assertSpeaks(self.client(record=7, write=pieces))

    def test_grease(self):
        """TLS-36: GREASE everywhere (RFC 8701) is passed over: suites, groups, shares, versions, extensions, ALPN."""
        client = self.client(
            groups=(0x1A1A, hello.X25519, hello.P256), more_shares=((0x1A1A, b"\0"),), more_suites=(0x2A2A,),
            more_versions=(0x3A3A,), before=((0x4A4A, b""),),
            extra=(hello.protocols("\x5a\x5a", "http/1.1"), (0x6A6A, b"\0")))
        self.assertSpeaks(client)

    def test_encrypted_hello_grease(self):
        """TLS-36, TLS-60: the ECH that browsers send for show is served, not answered, and recorded."""
        client = self.client(extra=(hello.encrypted_hello_grease(),))
        self.assertNotIn(hello.ECH, client.server_extensions)
        self.assertNotIn(hello.ECH, client.encrypted_extensions)
        self.assertSpeaks(client)
        def seen():
            return [line for line in map(parse_json, map(bytes.decode, lines_of(self.shared.case)))
                    if line[0]["type"] == "hello" and line[0]["ech"]]
        self.assertTrue(eventually(seen))

    def test_post_quantum_share(self):
        """TLS-36: a hello with the hybrid share of 1,216 bytes beside X25519's is served."""
        # an encapsulation key has 768 coefficients below 3,329 in 12 bits each, and a seed (FIPS 203)
        bits = sum(int.from_bytes(os.urandom(4), "big") % 3329 << 12 * index for index in range(768))
        key = bits.to_bytes(1152, "little") + os.urandom(32)
        share = key + os.urandom(32)
        self.assertEqual(len(share), 1216)
        for size in (16384, 500):
            with self.subTest(size):
                client = self.client(groups=(hello.HYBRID, hello.X25519), more_shares=((hello.HYBRID, share),), record=size)
                self.assertIn(client.group, (hello.HYBRID, hello.X25519))
                self.assertSpeaks(client)

    def test_retry(self):
        """TLS-36: a hello without a share that we take is answered with HelloRetryRequest, and the second one is served."""
        for groups, shared in (((hello.P521, hello.P256), ()), ((hello.X25519,), ()), ((hello.X25519, hello.P256), ())):
            with self.subTest(groups):
                client = self.client(groups=groups, shared=shared)
                self.assertTrue(client.was_retried)
                self.assertSpeaks(client)
        self.assertFalse(self.client().was_retried)

    def test_retry_in_pieces(self):
        """TLS-36: both hellos of a retry may come in records of 50 bytes."""
        client = self.client(groups=(hello.P521, hello.P256), shared=(), record=50)
        self.assertTrue(client.was_retried)
        self.assertSpeaks(client)

    def test_openssl_retries(self):
        """TLS-36: openssl, whose first share is of a group that we do not take, is served after a retry."""
        done = subprocess.run(
            ["openssl", "s_client", "-proxy", f"127.0.0.1:{self.shared.port}", "-connect", self.authority, "-servername",
             NAME, "-tls1_3", "-groups", "P-521:P-256", "-msg"], input=b"", capture_output=True, timeout=20)
        self.assertEqual(done.stdout.count(b", ClientHello"), 2, done.stdout.decode()[:2000])
        self.assertIn(b"Server Temp Key: ECDH, prime256v1", done.stdout)

    def test_large(self):
        """TLS-36: a hello of 60 kB, padded (RFC 7685), is served, by TLS 1.2 and 1.3."""
        padding = (hello.PADDING, bytes(60_000))
        self.assertSpeaks(self.client(extra=(padding,)))
        self.assertServed(self.ask(self.hello_12(padding)), version=TLS12)

    def test_without_extensions(self):
        """TLS-36: a hello without any extension is refused with an alert: it names no group and no signature of ours."""
        said = self.ask(hello.client_hello(None))
        self.assertIsNone(said.hello)
        self.assertIsNotNone(said.alert, said)

    def test_without_a_name(self):
        """TLS-36: a hello without a server name gets a leaf for the name of the CONNECT."""
        reply, wire = self.shared.connect(self.authority)
        with wire:
            context = self.shared.context()
            context.check_hostname = False
            session, _ = hello.speak(context, wire, None)
            self.assertEqual(session.getpeercert()["subjectAltName"], (("DNS", NAME),))


class Bounds(LoopbackTest):
    """TLS-37: what a hello may cost; a wait of two seconds for a handshake."""

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, config={**hello.PATIENT, "timeouts": {"handshake": "2s"}}))
        cls.server = cls.enterClassContext(Origin(leaf=pki.shared().leaf(NAME)))

    def drip(self, pieces, pause, wait):
        """Sends pieces until the proxy ends the connection: how many bytes, and after how long."""
        reply, wire = self.shared.connect(f"{NAME}:{self.server.port}")
        self.assertEqual(reply.status, 200)
        began, sent = time.monotonic(), 0
        with wire:
            for piece in pieces:
                if select.select([wire.sock], [], [], pause)[0]:
                    break
                try:
                    wire.send(piece)
                except OSError:
                    break
                sent += len(piece)
                self.assertLess(time.monotonic() - began, wait, f"still open after {sent} bytes")
            else:
                self.fail(f"took all of {sent} bytes")
            wire.sock.settimeout(wait)
            wire.to_end()
        return sent, time.monotonic() - began

    def assertServes(self):
        self.assertEqual(self.shared.fetch(NAME, self.server.port).status, 200)
        self.assertEqual(self.shared.process.poll(), None)

    def test_endless(self):
        """TLS-37: a hello that never ends is cut after 128 KiB, and nothing is sent to the server for it."""
        before = len(self.server.received)
        block = hello.records(bytes(4096))
        first = hello.records(b"\1\xff\xff\xff" + bytes(4092))
        sent, took = self.drip([first] + [block] * 4000, 0.0, 10)
        self.assertLess(sent, 16 << 20)  # the kernel's buffers hold some of it
        self.assertEqual(len(self.server.received), before)
        self.assertServes()

    def test_slow(self):
        """TLS-37: a hello that comes a byte at a time for longer than the wait for a handshake is cut."""
        data = hello.records(hello.client_hello(hello.extensions_12(NAME, (hello.PADDING, bytes(2000)))))
        sent, took = self.drip([data[index:index + 1] for index in range(len(data))], 0.1, 10)
        self.assertLess(sent, len(data))
        self.assertLess(took, 6)
        self.assertServes()

    def test_silent(self):
        """TLS-37: a tunnel in which the device stops in the middle of the hello, or after it, is closed in time."""
        whole = hello.records(hello.client_hello(hello.extensions_12(NAME)))
        for name, data in (("in the middle", whole[:60]), ("after it", whole)):
            with self.subTest(name):
                reply, wire = self.shared.connect(f"{NAME}:{self.server.port}")
                began = time.monotonic()
                with wire:
                    wire.send(data)
                    wire.sock.settimeout(10)
                    wire.to_end()
                self.assertLess(time.monotonic() - began, 6)
        self.assertServes()

    def test_empty_records(self):
        """TLS-37: empty handshake records without end are cut too."""
        sent, took = self.drip([b"\x16\x03\x01\0\0" * 2000] * 2000, 0.0, 10)
        self.assertLess(sent, 16 << 20)
        self.assertServes()

    def test_many_at_once(self):
        """TLS-37: a hundred devices that stop in the middle of a hello keep no other from being served."""
        whole = hello.records(hello.client_hello(hello.extensions_12(NAME)))
        for _ in range(100):
            reply, wire = self.shared.connect(f"{NAME}:{self.server.port}")
            self.addCleanup(wire.close)
            wire.send(whole[:100])
        self.assertServes()


class Protocols(Devices):
    def test_unknown(self):
        """TLS-38: a protocol that the server does not choose is not echoed, beside a known one or alone."""
        server = self.tls_origin(NAME, alpn=["http/1.1"])
        context = self.shared.context(alpn=["spoken/9", "http/1.1"])
        with self.shared.tunnel(NAME, server.port, context=context) as wire:
            self.assertEqual(wire.sock.selected_alpn_protocol(), "http/1.1")
        try:
            with self.shared.tunnel(NAME, self.server.port, context=self.shared.context(alpn=["spoken/9"])) as wire:
                self.assertIsNone(wire.sock.selected_alpn_protocol())
        except ssl.SSLError as error:
            self.assertEqual(alert_of(error), "no_application_protocol")

    def test_shapes(self):
        """TLS-38: GREASE, a name of 255 bytes and a hundred names are passed over; an empty name gets no server hello."""
        server = self.tls_origin(NAME, alpn=["http/1.1"])
        authority = f"{NAME}:{server.port}"
        chosen = hello.protocols("http/1.1")
        for names in (["\x0a\x0a"], ["x" * 255], [f"spoken/{index}" for index in range(100)]):
            said = self.ask(self.hello_12(hello.protocols(*names, "http/1.1")), authority)
            self.assertEqual(self.assertServed(said).extensions[hello.ALPN], chosen[1])
        said = self.ask(self.hello_12((hello.ALPN, hello.vector(2, b"\0", hello.vector(1, b"http/1.1")))), authority)
        self.assertIsNone(said.hello)

