"""A TLS 1.3 server in Python (RFC 8446) that may prove the wrong key, staple noise or send what it likes as its chain."""

import hashlib
import hmac

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

import hello
from client_hello import STATUS_REQUEST, TIMESTAMPS, Offer
from hello import vector
from tls13 import CERTIFICATE, CERTIFICATE_VERIFY, ENCRYPTED_EXTENSIONS, FINISHED, SUITE, Direction, expand, extract
from tls_servers import Scripted, read_record

CONTEXT = b" " * 64 + b"TLS 1.3, server CertificateVerify\0"
NOTHING = hashlib.sha256(b"").digest()


def message(kind, *body):
    return bytes([kind]) + vector(3, *body)


class TLS13Server(Scripted):
    """Answers each hello with a whole handshake, and one request of HTTP/1.1; the leaf's key is P-256.

    `prove` gets the signature of CertificateVerify and returns what is sent; `key` signs instead of the leaf's;
    `staples` and `timestamps` are sent with the certificates, in their order; `cut` ends the flight after so many bytes.
    """

    def __init__(self, certificate, *, key=None, prove=lambda signature: signature, staples=(), timestamps=None, cut=None, **more):
        self.certificate = certificate
        self.key = key or certificate.key
        self.prove, self.staples, self.timestamps, self.cut = prove, staples, timestamps, cut
        self.finished = 0  # handshakes that the client ended as it should
        self.received = b""
        super().__init__(self._answer, **more)

    def _certificates(self):
        entries = []
        for index, one in enumerate(self.certificate.chain):
            extensions = b""
            if index < len(self.staples) and self.staples[index] is not None:
                extensions += STATUS_REQUEST.to_bytes(2, "big") + vector(2, b"\1", vector(3, self.staples[index]))
            if index == 0 and self.timestamps:
                extensions += TIMESTAMPS.to_bytes(2, "big") + vector(2, self.timestamps)
            entries.append(vector(3, one.der) + vector(2, extensions))
        return message(CERTIFICATE, b"\0", vector(3, *entries))

    def _answer(self, sock, raw):
        offer = Offer(raw)
        own = X25519PrivateKey.generate()
        share = hello.SHARES.to_bytes(2, "big") + vector(2, hello.X25519.to_bytes(2, "big"),
                                                         vector(2, own.public_key().public_bytes_raw()))
        answer = message(2, b"\3\3", bytes(range(32)), vector(1, offer.session), SUITE.to_bytes(2, "big"), b"\0",
                         vector(2, hello.VERSIONS.to_bytes(2, "big") + vector(2, b"\3\4"), share))
        transcript = raw + answer

        def digest():
            return hashlib.sha256(transcript).digest()

        secret = own.exchange(X25519PublicKey.from_public_bytes(offer.shares[hello.X25519]))
        shared = extract(expand(extract(b"\0" * 32, b"\0" * 32), b"derived", NOTHING, 32), secret)
        ours = Direction(expand(shared, b"s hs traffic", digest(), 32))
        theirs = Direction(expand(shared, b"c hs traffic", digest(), 32))
        flight = message(ENCRYPTED_EXTENSIONS, b"\0\0") + self._certificates()
        transcript += flight
        signature = self.prove(self.key.sign(CONTEXT + digest(), ec.ECDSA(hashes.SHA256())))
        verify = message(CERTIFICATE_VERIFY, b"\4\3", vector(2, signature))
        transcript += verify
        end = message(FINISHED, hmac.digest(expand(ours.secret, b"finished", b"", 32), digest(), "sha256"))
        transcript += end
        sealed = b"".join(ours.seal(hello.HANDSHAKE, piece) for piece in pieces(flight + verify + end))
        sent = hello.records(answer, version=hello.TLS12) + b"\x14\x03\x03\0\1\1" + sealed
        sock.sendall(sent[:self.cut])
        if self.cut:
            return
        master = extract(expand(shared, b"derived", NOTHING, 32), b"\0" * 32)
        read = Direction(expand(master, b"c ap traffic", digest(), 32))
        write = Direction(expand(master, b"s ap traffic", digest(), 32))
        kind, _ = opened(sock, theirs)
        if kind != hello.HANDSHAKE:
            return
        self.finished += 1
        while b"\r\n\r\n" not in self.received:
            kind, content = opened(sock, read)
            if kind != hello.APPLICATION:
                return
            self.received += content
        sock.sendall(write.seal(hello.APPLICATION, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        opened(sock, read)


def pieces(data, size=16000):
    return [data[start:start + size] for start in range(0, len(data), size)]


def opened(sock, keys):
    """The next record's true kind and content; an alert in the clear counts as one."""
    kind, data = read_record(sock)
    while kind == 20:
        kind, data = read_record(sock)
    return (kind, data[5:]) if kind != hello.APPLICATION else keys.open(data[5:])
