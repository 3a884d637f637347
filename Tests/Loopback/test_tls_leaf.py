"""The minted leaf and the authority above it, read by a library that is not OpenSSL (TLS-39 to 50)."""

import datetime
import ipaddress
import os
import shutil
import ssl
import stat
import time

import hello
import pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from harness import Folder, LoopbackTest, Proxy
from origins import Origin
from programs import Program

NAME = "origin.example"
LONG = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.long.example"
ODD_NAMES = ("_dmarc.under_score.example", "xn--bcher-kva.example", "xn--fiqs8s.example", LONG, f"{'x' * 63}.example",
             "1234.example", "a.b.c.d.e.f.g.example", "xn--4gbrim.example")
MANY = tuple(f"host{index}.many.example" for index in range(40))
SERVERS = [ExtendedKeyUsageOID.SERVER_AUTH]
DAY, HOUR = datetime.timedelta(days=1), datetime.timedelta(hours=1)
STAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")  # RFC 6962 section 3.3


def key_bytes(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def octets(content):
    """A DER OCTET STRING of less than 256 bytes."""
    size = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return b"\4" + size + content


class Leaves(LoopbackTest):
    @classmethod
    def setUpClass(cls):
        names = (NAME, *ODD_NAMES, *MANY)
        cls.shared = cls.enterClassContext(Proxy(
            hosts=dict.fromkeys(names, "127.0.0.1"),
            config={**hello.PATIENT, "upstream": {"allow_special_use": ["127.0.0.0/8", "::1/128"]}}))
        cls.leaf_files = pki.shared().leaf(*names, "127.0.0.1", "::1", "extra.example")
        cls.server = cls.enterClassContext(Origin(leaf=cls.leaf_files))
        cls.authority = x509.load_pem_x509_certificate((cls.shared.path / "certs/ca.crt").read_bytes())

    def leaf(self, name=NAME, proxy=None, server=None):
        host = f"[{name}]" if ":" in name else name
        reply, wire = (proxy or self.shared).connect(f"{host}:{(server or self.server).port}")
        with wire:
            self.assertEqual(reply.status, 200)
            wire.sock = (proxy or self.shared).context().wrap_socket(wire.sock, server_hostname=name)
            return x509.load_der_x509_certificate(wire.sock.getpeercert(binary_form=True))

    def extension(self, certificate, kind):
        return certificate.extensions.get_extension_for_class(kind)

    def assertVerifies(self, leaf, name, authority=None):
        """The rules that browsers' authorities follow, checked without OpenSSL."""
        subject = x509.IPAddress(ipaddress.ip_address(name)) if ":" in name or name[-1].isdigit() else x509.DNSName(name)
        verifier = PolicyBuilder().store(Store([authority or self.authority])).time(datetime.datetime.now(datetime.UTC))
        chain = verifier.build_server_verifier(subject).verify(leaf, [])
        self.assertEqual(chain, [leaf, authority or self.authority])

    def test_verifies(self):
        """TLS-42: a leaf passes the strict web profile of a verifier that is not OpenSSL, for its name and no other."""
        leaf = self.leaf()
        self.assertVerifies(leaf, NAME)
        with self.assertRaises(x509.verification.VerificationError):
            self.assertVerifies(leaf, "extra.example")

    def test_strict_openssl(self):
        """TLS-42: a device that sets X509_V_FLAG_X509_STRICT, as Python 3.13 does, is served, by name and by address."""
        context = self.shared.context()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        for name in (NAME, "127.0.0.1"):
            with self.subTest(name), self.shared.tunnel(name, self.server.port, context=context) as wire:
                self.assertEqual(wire.request("GET", "/", f"{name}:{self.server.port}").status, 200)

    def test_openssl_verify(self):
        """TLS-42: openssl verify -x509_strict takes the leaf for every odd name, for servers and for nothing else."""
        file = self.shared.path / "odd.pem"
        for name in (NAME, *ODD_NAMES):
            with self.subTest(name):
                file.write_bytes(self.leaf(name).public_bytes(Encoding.PEM))
                common = ("verify", "-x509_strict", "-verify_hostname", name, "-CAfile", self.shared.path / "certs/ca.crt")
                self.assertIn(b"OK", pki.openssl(*common, "-purpose", "sslserver", file))
                for purpose in ("sslclient", "smimesign", "timestampsign"):
                    with self.assertRaises(RuntimeError):
                        pki.openssl(*common, "-purpose", purpose, file)

    def test_odd_names(self):
        """TLS-41: long names, underscores, A-labels and digits stand in the SAN as asked for, and there alone."""
        for name in ODD_NAMES:
            with self.subTest(name):
                leaf = self.leaf(name)
                found = self.extension(leaf, x509.SubjectAlternativeName)
                self.assertEqual(list(found.value), [x509.DNSName(name)])
                # RFC 5280 section 4.2.1.6: critical exactly if there is no subject
                self.assertEqual(found.critical, not list(leaf.subject))
                for common in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
                    self.assertLessEqual(len(common.value), 64)  # ub-common-name
                    self.assertIn(common.value, (name, name[:64]))
                if "_" not in name:  # which the library takes for no name at all; openssl verify is asked of all
                    self.assertVerifies(leaf, name)

    def test_addresses(self):
        """TLS-41: an address stands in the SAN as an address, of either family, and not as a name."""
        servers = {"127.0.0.1": self.server}
        if os.path.exists("/proc/net/if_inet6"):
            servers["::1"] = self.origin(leaf=self.leaf_files, address="::1")
        for address, server in servers.items():
            with self.subTest(address):
                leaf = self.leaf(address, server=server)
                names = list(self.extension(leaf, x509.SubjectAlternativeName).value)
                self.assertEqual(names, [x509.IPAddress(ipaddress.ip_address(address))])
                self.assertVerifies(leaf, address)

    def test_spelling(self):
        """TLS-41: a name asked for in capitals or with a dot at its end gets the leaf of the name in small letters."""
        for spelling in (NAME.upper(), NAME + "."):
            with self.subTest(spelling):
                reply, wire = self.shared.connect(f"{spelling}:{self.server.port}")
                with wire:
                    self.assertEqual(reply.status, 200)
                    wire.sock = self.shared.context().wrap_socket(wire.sock, server_hostname=NAME)
                    self.assertEqual(wire.sock.getpeercert()["subjectAltName"], (("DNS", NAME),))

    def test_dates(self):
        """TLS-39, TLS-40: a leaf is valid for 90 days at most, since an hour ago at least, and not beyond the authority."""
        now = datetime.datetime.now(datetime.UTC)
        for name in (NAME, MANY[0], "127.0.0.1"):
            leaf = self.leaf(name)
            # RFC 5280 section 4.1.2.5: both ends included, so a second more than the difference
            lifetime = leaf.not_valid_after_utc - leaf.not_valid_before_utc + datetime.timedelta(seconds=1)
            self.assertLessEqual(lifetime, 90 * DAY)
            self.assertGreaterEqual(lifetime, 7 * DAY)
            self.assertLessEqual(leaf.not_valid_before_utc, now - HOUR + datetime.timedelta(minutes=1))
            self.assertLessEqual(leaf.not_valid_after_utc, self.authority.not_valid_after_utc)
            self.assertGreaterEqual(leaf.not_valid_before_utc, self.authority.not_valid_before_utc)

    def test_dates_at_the_end(self):
        """TLS-40: under an authority of a few days a leaf ends with it or before."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"ca": {"lifetime": "20d"}})
        authority = x509.load_pem_x509_certificate((proxy.path / "certs/ca.crt").read_bytes())
        leaf = self.leaf(proxy=proxy)
        self.assertLessEqual(leaf.not_valid_after_utc, authority.not_valid_after_utc)
        self.assertVerifies(leaf, NAME, authority)

    def test_profile(self):
        """TLS-42: EKU serverAuth alone, KU digitalSignature critical, CA:FALSE, the authority's key identifier."""
        leaf = self.leaf()
        usage = self.extension(leaf, x509.KeyUsage)
        self.assertTrue(usage.critical)
        self.assertTrue(usage.value.digital_signature)
        for name in ("content_commitment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"):
            self.assertFalse(getattr(usage.value, name), name)
        self.assertEqual(list(self.extension(leaf, x509.ExtendedKeyUsage).value), SERVERS)
        self.assertFalse(self.extension(leaf, x509.BasicConstraints).value.ca)
        theirs = self.extension(self.authority, x509.SubjectKeyIdentifier).value.digest
        self.assertEqual(self.extension(leaf, x509.AuthorityKeyIdentifier).value.key_identifier, theirs)
        self.assertEqual(leaf.issuer, self.authority.subject)
        self.assertEqual(leaf.version, x509.Version.v3)

    def test_keys(self):
        """TLS-43, TLS-44: P-256 or RSA of 2,048 bits and SHA-256 at least, by either kind of authority; never its own key."""
        for kind in ("p256", "rsa2048"):
            with self.subTest(kind):
                proxy = self.proxy(hosts={NAME: "127.0.0.1"}, config={"ca": {"key": kind}})
                authority = x509.load_pem_x509_certificate((proxy.path / "certs/ca.crt").read_bytes())
                leaf = self.leaf(proxy=proxy)
                self.assertVerifies(leaf, NAME, authority)
                for certificate in (leaf, authority):
                    key = certificate.public_key()
                    if isinstance(key, rsa.RSAPublicKey):
                        self.assertGreaterEqual(key.key_size, 2048)
                    else:
                        self.assertIsInstance(key.curve, ec.SECP256R1)
                    self.assertIn(certificate.signature_hash_algorithm.name, ("sha256", "sha384", "sha512"))
                self.assertNotEqual(key_bytes(leaf.public_key()), key_bytes(authority.public_key()))
                self.assertIsInstance(authority.public_key(), rsa.RSAPublicKey if kind == "rsa2048" else ec.EllipticCurvePublicKey)

    def test_serials(self):
        """TLS-45: serials are positive, of 20 octets at most, of 64 random bits at least, and none comes twice."""
        proxy = self.proxy(hosts=dict.fromkeys(MANY, "127.0.0.1"), config=hello.PATIENT)
        serials = [self.leaf(name, proxy).serial_number for name in MANY]
        proxy.stop()
        proxy.start("--case", "again")
        serials += [self.leaf(name, proxy).serial_number for name in MANY]
        for serial in serials:
            self.assertGreater(serial, 0)
            self.assertLess(serial.bit_length(), 160)
        # each loop mints its own, and the second run mints anew
        self.assertEqual(len(set(serials)), len(serials))
        # of eighty random serials no bit is the same in all, but for chance in 2^70
        always, ever = serials[0], 0
        for serial in serials:
            always, ever = always & serial, ever | serial
        self.assertGreaterEqual((ever & ~always).bit_count(), 64)

    def test_nothing_is_copied(self):
        """TLS-46: must-staple, AIA, CRL distribution points, SCTs, policies and further names of the server are not copied."""
        upstream = Upstream(self.shared.path / "upstream")
        server = self.enterContext(upstream.server())

        def trust(folder):
            with (folder.path / "roots.pem").open("ab") as roots:
                roots.write(upstream.authority.public_bytes(Encoding.PEM))
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, before_start=trust)
        theirs = {extension.oid for extension in upstream.leaf.extensions}
        leaf = self.leaf(proxy=proxy, server=server)
        copied = {ExtensionOID.TLS_FEATURE, ExtensionOID.AUTHORITY_INFORMATION_ACCESS, ExtensionOID.CRL_DISTRIBUTION_POINTS,
                  STAMPS, ExtensionOID.CERTIFICATE_POLICIES}
        self.assertLessEqual(copied, theirs)
        self.assertFalse(copied & {extension.oid for extension in leaf.extensions})
        self.assertEqual(list(self.extension(leaf, x509.SubjectAlternativeName).value), [x509.DNSName(NAME)])
        self.assertNotIn("Copied Organisation", leaf.subject.rfc4514_string())
        self.assertNotEqual(leaf.serial_number, upstream.leaf.serial_number)


class Upstream:
    """A server whose certificate has all that a leaf of ours must not have, with the stapled answer that it promises."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Much-extended authority")])

        def builder(subject, public_key):
            return x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public_key) \
                .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + 20 * DAY) \
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False) \
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False)

        def usage(**allowed):
            every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                     "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
            return x509.KeyUsage(**{use: allowed.get(use, False) for use in every})

        self.authority = builder(name, authority_key.public_key()) \
            .add_extension(x509.BasicConstraints(True, 0), True) \
            .add_extension(usage(key_cert_sign=True, crl_sign=True), True).sign(authority_key, hashes.SHA256())
        stamp = b"\0" + os.urandom(32) + int(time.time() * 1000).to_bytes(8, "big") + b"\0\0\4\3\0\x46" + os.urandom(70)
        stamps = len(stamp).to_bytes(2, "big") + stamp
        subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Copied Organisation"),
                             x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        url = x509.UniformResourceIdentifier("http://ocsp.authority.example/")
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url)
        self.leaf = builder(subject, key.public_key()) \
            .add_extension(x509.BasicConstraints(False, None), True) \
            .add_extension(usage(digital_signature=True), True) \
            .add_extension(x509.ExtendedKeyUsage([*SERVERS, ExtendedKeyUsageOID.CLIENT_AUTH]), False) \
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName("*." + NAME)]), False) \
            .add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), False) \
            .add_extension(x509.AuthorityInformationAccess([access]), False) \
            .add_extension(x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)]), False) \
            .add_extension(x509.CertificatePolicies(
                [x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)]), False) \
            .add_extension(x509.UnrecognizedExtension(STAMPS, octets(len(stamps).to_bytes(2, "big") + stamps)), False) \
            .sign(authority_key, hashes.SHA256())
        staple = ocsp.OCSPResponseBuilder().add_response(
            self.leaf, self.authority, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, now - HOUR, now + DAY, None, None) \
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.authority).sign(authority_key, hashes.SHA256())
        self.file("leaf.pem", self.leaf.public_bytes(Encoding.PEM))
        self.file("leaf.key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.file("staple.der", staple.public_bytes(Encoding.DER))

    def file(self, name, content):
        (self.folder / name).write_bytes(content)

    def server(self):
        return Program(lambda port: [
            shutil.which("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.folder / "leaf.pem",
            "-key", self.folder / "leaf.key", "-status_file", self.folder / "staple.der", "-www", "-quiet"])


class Authorities(LoopbackTest):
    """TLS-47 to TLS-50."""

    def folder(self, **changes):
        folder = Folder(**changes)
        self.addCleanup(folder.close)
        return folder

    def made(self, **changes):
        folder = self.folder(**changes)
        folder.run("ca", "init")
        return x509.load_pem_x509_certificate((folder.path / "certs/ca.crt").read_bytes())

    def test_distinct(self):
        """TLS-47, TLS-50: every installation makes a key, a name, a serial and a key identifier of its own."""
        certificates = [self.made() for _ in range(4)]
        for what in (lambda each: key_bytes(each.public_key()), lambda each: each.subject.rfc4514_string(),
                     lambda each: each.serial_number,
                     lambda each: each.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest):
            self.assertEqual(len(set(map(what, certificates))), len(certificates))

    def test_profile(self):
        """TLS-49: critical CA:TRUE with pathlen 0, keyCertSign critical, SKI, EKU serverAuth, of either kind of key."""
        for kind in ("p256", "rsa2048"):
            with self.subTest(kind):
                authority = self.made(config={"ca": {"key": kind}})

                def extension(kind, authority=authority):
                    return authority.extensions.get_extension_for_class(kind)
                basic = extension(x509.BasicConstraints)
                self.assertEqual((basic.critical, basic.value.ca, basic.value.path_length), (True, True, 0))
                usage = extension(x509.KeyUsage)
                self.assertTrue(usage.critical and usage.value.key_cert_sign)
                self.assertFalse(usage.value.digital_signature or usage.value.key_encipherment)
                self.assertEqual(list(extension(x509.ExtendedKeyUsage).value), SERVERS)
                self.assertTrue(extension(x509.SubjectKeyIdentifier).value.digest)
                self.assertEqual(authority.subject, authority.issuer)
                self.assertLessEqual(authority.not_valid_after_utc - authority.not_valid_before_utc, 3653 * DAY)
                self.assertLessEqual(authority.not_valid_before_utc, datetime.datetime.now(datetime.UTC) - 23 * HOUR)
                self.assertIn(authority.signature_hash_algorithm.name, ("sha256", "sha384", "sha512"))
                authority.verify_directly_issued_by(authority)

    def test_modes(self):
        """TLS-48: with the umask 000 the key has 0600, its folder 0700, and no other file has a private key."""
        proxy = self.proxy(hosts={NAME: "127.0.0.1"}, umask=0)
        server = self.tls_origin(NAME)
        self.assertEqual(proxy.fetch(NAME, server.port).status, 200)
        proxy.stop()
        self.assertEqual(stat.S_IMODE((proxy.path / "certs").stat().st_mode), 0o700)
        keys = [file for file in proxy.path.rglob("*") if file.is_file() and b"PRIVATE KEY" in file.read_bytes()]
        self.assertIn(proxy.path / "certs/ca.key", keys)
        for file in keys:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
            self.assertIn(file.name, ("ca.key", "signing.key"))

    def test_open_key(self):
        """TLS-48: a key that others can read is refused by name; a folder that others can write to is too, or put right."""
        for path, mode in (("certs/ca.key", 0o644), ("certs", 0o777)):
            with self.subTest(path):
                def open_up(folder, path=path, mode=mode):
                    folder.run("ca", "init")
                    (folder.path / path).chmod(mode)
                try:
                    proxy = self.proxy(before_start=open_up)
                except AssertionError as refusal:
                    self.assertIn("certs", str(refusal))
                else:
                    self.assertNotEqual(path, "certs/ca.key", "started with a key that others can read")
                    self.assertEqual(stat.S_IMODE((proxy.path / path).stat().st_mode) & 0o022, 0)
