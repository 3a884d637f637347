"""A TLS 1.3 client in Python (RFC 8446), for hellos that no library sends; X25519 or P-256, AES-128-GCM, no resumption."""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import hello
from hello import vector

SUITE = 0x1301
POINT = (Encoding.X962, PublicFormat.UncompressedPoint)
CERTIFICATE, CERTIFICATE_VERIFY, ENCRYPTED_EXTENSIONS, FINISHED, NEW_TICKET = 11, 15, 8, 20, 4


class Refused(Exception):
    """The server answered with an alert, or ended the stream."""


def expand(secret, label, context, size):
    info = size.to_bytes(2, "big") + vector(1, b"tls13 " + label) + vector(1, context)
    out, block, index = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([index]), "sha256")
        out, index = out + block, index + 1
    return out[:size]


def extract(salt, material):
    return hmac.digest(salt, material, "sha256")


class Direction:
    """One direction's keys (section 7.3)."""

    def __init__(self, secret):
        self.secret = secret
        self.cipher = AESGCM(expand(secret, b"key", b"", 16))
        self.iv = int.from_bytes(expand(secret, b"iv", b"", 12), "big")
        self.count = 0

    def nonce(self):
        self.count += 1
        return (self.iv ^ (self.count - 1)).to_bytes(12, "big")

    def seal(self, kind, content):
        head = b"\x17\x03\x03" + (len(content) + 17).to_bytes(2, "big")
        return head + self.cipher.encrypt(self.nonce(), content + bytes([kind]), head)

    def open(self, content):
        head = b"\x17\x03\x03" + len(content).to_bytes(2, "big")
        plain = self.cipher.decrypt(self.nonce(), content, head).rstrip(b"\0")
        return plain[-1], plain[:-1]


class Client:
    """A handshake over a wire; afterwards `send` and `receive`.

    `extra` extensions come last, `before` first; `fill` is how the hello is written, such as one byte at a time;
    `shared` are the groups that the hello has a share for, of those that it names in `groups`.
    """

    def __init__(self, wire, host, *, groups=(hello.X25519, hello.P256), shared=(hello.X25519,), before=(), extra=(),
                 more_shares=(), more_suites=(), more_versions=(), record=16384, write=None):
        self.wire = wire
        self.keys = {}
        self.transcript = b""
        self.was_retried = False
        self.random = os.urandom(32)
        self.session = os.urandom(32)
        self.record = record
        self.write = write or wire.send
        self.make = lambda chosen, cookie=(): hello.client_hello(
            [*before, hello.server_name(host), hello.groups(*groups), hello.signatures(*hello.SIGNATURES_NOW),
             hello.versions(*more_versions, hello.TLS13), (hello.MODES, b"\1\1"), *cookie,
             hello.shares(*more_shares, *((group, self.share(group)) for group in chosen)), *extra],
            suites=(*more_suites, SUITE), session=self.session, random=self.random)
        self.handshake(shared)

    def share(self, group):
        if group == hello.X25519:
            self.keys[group] = X25519PrivateKey.generate()
            return self.keys[group].public_key().public_bytes_raw()
        self.keys[group] = ec.generate_private_key(ec.SECP256R1())
        return self.keys[group].public_key().public_bytes(*POINT)

    def agree(self, group, theirs):
        if group == hello.X25519:
            return self.keys[group].exchange(X25519PublicKey.from_public_bytes(theirs))
        return self.keys[group].exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))

    def say(self, message):
        self.transcript += message
        self.sent = hello.records(message, self.record)
        self.write(self.sent)

    def digest(self):
        return hashlib.sha256(self.transcript).digest()

    def handshake(self, shared):
        self.say(self.make(shared))
        said = self.server_hello()
        if said.is_retry:
            self.was_retried = True
            first = hashlib.sha256(self.transcript[:-len(self.raw)]).digest()
            self.transcript = b"\xfe" + vector(3, first) + self.raw  # section 4.4.1
            cookie = [(hello.COOKIE, said.extensions[hello.COOKIE])] if hello.COOKIE in said.extensions else []
            self.say(self.make([said.group], cookie))
            said = self.server_hello()
        self.group, self.server_extensions = said.group, said.extensions
        if self.group == hello.HYBRID:
            return  # the server has taken the hybrid share; the rest would need ML-KEM here
        secret = self.agree(self.group, said.extensions[hello.SHARES][4:])
        nothing = hashlib.sha256(b"").digest()
        early = extract(b"\0" * 32, b"\0" * 32)
        shared_secret = extract(expand(early, b"derived", nothing, 32), secret)
        theirs = Direction(expand(shared_secret, b"s hs traffic", self.digest(), 32))
        ours = Direction(expand(shared_secret, b"c hs traffic", self.digest(), 32))
        self.read = theirs
        buffer, finished = b"", False
        while not finished:
            kind, content = self.next_record()
            if kind == hello.ALERT:
                raise Refused(hello.ALERTS.get(content[1], content[1]))
            buffer += content
            while len(buffer) >= 4 and len(buffer) >= 4 + (size := int.from_bytes(buffer[1:4], "big")):
                message, buffer = buffer[:4 + size], buffer[4 + size:]
                if message[0] == ENCRYPTED_EXTENSIONS:
                    self.encrypted_extensions = dict(hello.extensions_in(message[6:]))
                if message[0] == FINISHED:
                    expected = hmac.digest(expand(theirs.secret, b"finished", b"", 32), self.digest(), "sha256")
                    if not hmac.compare_digest(expected, message[4:]):
                        raise Refused("the server's Finished does not verify")
                    finished = True
                self.transcript += message
        master = extract(expand(shared_secret, b"derived", nothing, 32), b"\0" * 32)
        end = hmac.digest(expand(ours.secret, b"finished", b"", 32), self.digest(), "sha256")
        self.read = Direction(expand(master, b"s ap traffic", self.digest(), 32))
        write = Direction(expand(master, b"c ap traffic", self.digest(), 32))
        self.secret = write.secret
        self.wire.send(b"\x14\x03\x03\0\1\1" + ours.seal(hello.HANDSHAKE, bytes([FINISHED]) + vector(3, end)))
        self.sealing = write

    def server_hello(self):
        kind, content = hello.record(self.wire)
        while kind == 20:  # change_cipher_spec, for middleboxes
            kind, content = hello.record(self.wire)
        if kind == hello.ALERT:
            raise Refused(hello.ALERTS.get(content[1], content[1]))
        self.raw = content
        self.transcript += content
        return hello.ServerHello(content[4:])

    def next_record(self):
        kind, content = hello.record(self.wire)
        while kind == 20:
            kind, content = hello.record(self.wire)
        if kind != hello.APPLICATION:
            return kind, content
        try:
            return self.read.open(content)
        except InvalidTag:
            raise Refused("a record does not open") from None

    def send(self, data, kind=hello.APPLICATION):
        self.wire.send(self.sealing.seal(kind, data))

    def receive(self):
        """The next application data; tickets are passed over."""
        while True:
            kind, content = self.next_record()
            if kind == hello.APPLICATION:
                return content
            if kind == hello.ALERT:
                raise Refused(hello.ALERTS.get(content[1], content[1]))

    def get(self, host, path="/"):
        """The status of a request's answer."""
        self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self.receive()
        return int(data.split(b" ")[1])
