"""Certificates exactly as a test wants them, also such as no authority would make."""

import datetime
import functools
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
# sha256WithRSAEncryption and its two predecessors differ in the last byte of their identifiers
SHA256_RSA, SHA1_RSA, MD5_RSA = (bytes.fromhex("06092a864886f70d0101") + last for last in (b"\x0b", b"\x05", b"\x04"))
WEAK = {"sha1": (SHA1_RSA, hashes.SHA1()), "md5": (MD5_RSA, hashes.MD5())}


def der(tag, *parts):
    """One element: its tag, its length, what is in it."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def elements(data):
    """The elements that stand side by side in some DER, each with its tag and length."""
    found, offset = [], 0
    while offset < len(data):
        start, first = offset + 2, data[offset + 1]
        if first & 0x80:
            start += first & 0x7f
        size = int.from_bytes(data[offset + 2:start], "big") if first & 0x80 else first
        found.append(data[offset:start + size])
        offset = start + size
    return found


def inside(element):
    first = element[1]
    return element[2 + (first & 0x7f if first & 0x80 else 0):]


def alternative_names(names):
    """A subjectAltName: text is a host name or an address, bytes are a dNSName whatever is in them."""
    entries = []
    for name in names:
        try:
            entries.append(der(0x87, ipaddress.ip_address(name if isinstance(name, str) else "-").packed))
        except ValueError:
            entries.append(der(0x82, name.encode("ascii") if isinstance(name, str) else name))
    return x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, der(0x30, *entries))


def timestamps(*logs):
    """A list of signed certificate timestamps (RFC 6962 §3.3), of logs that are not: their signatures are noise."""
    entries = [b"\0" + log + (1_700_000_000_000).to_bytes(8, "big") + b"\0\0" + b"\x04\x03" + b"\0\x08" + os.urandom(8)
               for log in logs]
    listed = b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    return len(listed).to_bytes(2, "big") + listed


def embedded_timestamps(*logs):
    return x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), der(0x04, timestamps(*logs)))


def new_key(kind="p256"):
    match kind:
        case "p256": return ec.generate_private_key(ec.SECP256R1())
        case "p384": return ec.generate_private_key(ec.SECP384R1())
        case "p192": return ec.generate_private_key(ec.SECP192R1())
        case "ed25519": return ed25519.Ed25519PrivateKey.generate()
        case "rsa1024" | "rsa2048": return shared_rsa(int(kind[3:]))
    raise ValueError(kind)


@functools.cache
def shared_rsa(bits):
    """One for all that want it: finding primes is slow, and no test is about whose key it is."""
    return rsa.generate_private_key(65537, bits)


def signed(data, key, digest=None):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), digest or hashes.SHA256())
    return key.sign(data, ec.ECDSA(digest or hashes.SHA256()))


class Certificate:
    """A certificate, its key, and whoever signed it."""

    def __init__(self, encoded, key, issuer):
        self.der, self.key, self.issuer = encoded, key, issuer
        self.chain = [self]  # what a server sends; `made` completes it

    @property
    def parsed(self):
        return x509.load_der_x509_certificate(self.der)

    @property
    def identifier(self):
        """What those that it signed know its key by: as it says itself, which need not be the usual digest."""
        try:
            said = self.parsed.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except (x509.ExtensionNotFound, x509.InvalidVersion):
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(said)

    @property
    def pem(self):
        return ssl.DER_cert_to_PEM_cert(self.der)

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    def sending(self, *others):
        """The same certificate, sent with others than those that lead to its root."""
        copy = Certificate(self.der, self.key, self.issuer)
        copy.chain = [copy, *others]
        return copy

    def files(self, folder, name):
        """The chain and the key as files, the way that servers want them."""
        certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_text("".join(one.pem for one in self.chain))
        key.write_text(self.key_pem)
        return certificate, key


def made(name, issuer=None, *, names=(), days=(-2, 30), key="p256", is_authority=False, path=None, constraints="critical",
         usage=True, purposes=(), extra=(), critical=(), digest=None, version=3, damage=False, serial=None):
    """A certificate for `name`, of `issuer` or of itself.

    `days`: from when to when, counted from now. `constraints`: critical, or None for no basicConstraints. `usage` False
    leaves keyCertSign out of an authority's. `extra` and `critical`: more extensions. `digest`: sha1 or md5, for RSA
    issuers. `damage`: the signature's last byte is wrong.
    """
    own = new_key(key) if isinstance(key, str) else key
    signer = issuer.key if issuer else own
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    builder = (x509.CertificateBuilder().subject_name(subject)
               .issuer_name(issuer.parsed.subject if issuer else subject)
               .public_key(own.public_key()).serial_number(serial or x509.random_serial_number())
               .not_valid_before(now + datetime.timedelta(days=days[0])).not_valid_after(now + datetime.timedelta(days=days[1]))
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False))
    if issuer:
        builder = builder.add_extension(issuer.identifier, False)
    if constraints:
        builder = builder.add_extension(x509.BasicConstraints(is_authority, path if is_authority else None), True)
    builder = builder.add_extension(key_usage(signs_certificates=is_authority and usage), True)
    if names:
        builder = builder.add_extension(alternative_names(names), not name)  # RFC 5280 §4.2.1.6
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), False)
    for extension in extra:
        builder = builder.add_extension(extension, False)
    for extension in critical:
        builder = builder.add_extension(extension, True)
    encoded = builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()).public_bytes(
        serialization.Encoding.DER)
    certificate = Certificate(altered(encoded, signer, digest, version, damage), own, issuer)
    above = issuer
    while above and above.issuer:  # a server leaves its root out
        certificate.chain.append(above)
        above = above.issuer
    return certificate


def key_usage(signs_certificates):
    return x509.KeyUsage(digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
                         content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
                         encipher_only=False, decipher_only=False)


def altered(encoded, signer, digest, version, damage):
    """What no library makes: weak digests, certificates of the first version, signatures that do not fit."""
    body, algorithm, signature = elements(inside(encoded))
    if version == 1:
        # neither version nor extensions, both of which come with an explicit tag
        body = der(0x30, *[part for part in elements(inside(body)) if part[0] not in (0xa0, 0xa3)])
    if digest:
        body, algorithm = (part.replace(SHA256_RSA, WEAK[digest][0]) for part in (body, algorithm))
    if digest or version == 1:
        signature = der(0x03, b"\0", signed(body, signer, WEAK[digest][1] if digest else None))
    if damage:
        signature = signature[:-1] + bytes([signature[-1] ^ 1])
    return der(0x30, body, algorithm, signature)


def authority(name, issuer=None, **more):
    return made(name, issuer, is_authority=True, **more)


def server(host, issuer, **more):
    """A server's certificate: for `host`, unless `names` says otherwise."""
    return made(more.pop("subject", host[:60]), issuer, **{"names": (host,), "purposes": (SERVER,), **more})
