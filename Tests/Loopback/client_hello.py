"""What a ClientHello offers, read from its bytes."""

import hello

STATUS_REQUEST, TIMESTAMPS, PRE_SHARED_KEY = 5, 18, 41


class Offer:
    """`message` is the handshake message, without records; extensions are named by their numbers."""

    def __init__(self, message):
        self.message = message
        body = message[4:]
        self.random = body[2:34]
        rest = 35 + body[34]
        self.session = body[35:rest]
        count = int.from_bytes(body[rest:rest + 2], "big")
        self.suites = hello.pairs_in(body[rest + 2:rest + 2 + count])
        rest += 2 + count
        self.compressions = list(body[rest + 1:rest + 1 + body[rest]])
        rest += 1 + body[rest]
        self.extensions = dict(hello.extensions_in(body[rest + 2:]))
        self.legacy_version = int.from_bytes(body[:2], "big")

    def __contains__(self, extension):
        return extension in self.extensions

    @property
    def name(self):
        data = self.extensions.get(hello.SERVER_NAME)
        return data[5:].decode() if data else None

    @property
    def versions(self):
        data = self.extensions.get(hello.VERSIONS)
        return hello.pairs_in(data[1:]) if data else [self.legacy_version]

    @property
    def groups(self):
        return hello.pairs_in(self.extensions.get(hello.GROUPS, b"")[2:])

    @property
    def shares(self):
        """The groups that there is a key share for, and the shares."""
        data, found = self.extensions.get(hello.SHARES, b"")[2:], {}
        while data:
            size = int.from_bytes(data[2:4], "big")
            found[int.from_bytes(data[:2], "big")] = data[4:4 + size]
            data = data[4 + size:]
        return found

    @property
    def signatures(self):
        return hello.pairs_in(self.extensions.get(hello.SIGNATURES, b"")[2:])

    @property
    def protocols(self):
        data, found = self.extensions.get(hello.ALPN, b"")[2:], []
        while data:
            found.append(data[1:1 + data[0]].decode("latin-1"))
            data = data[1 + data[0]:]
        return found

    @property
    def ja4(self):
        return hello.ja4(hello.records(self.message))
