"""What the HTTP/2 suites share: a proxy, a server, and a device whose connection must keep to the RFC."""

import http2
import http2_origin
import pki
from harness import LoopbackTest, Proxy

NAME = "origin.example"
LARGE = {http2.INITIAL_WINDOW_SIZE: 1 << 20}


class HTTP2Test(LoopbackTest):
    """One proxy and one server for a suite; each test has connections of its own."""

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}, **cls.settings))
        cls.server = cls.enterClassContext(http2_origin.Origin(leaf=pki.shared().leaf(NAME), own_settings=LARGE))

    def circumstances(self):
        connections = [f"a server's connection: {connection.state()}" for connection in self.server.connections]
        return "\n".join([super().circumstances(), *connections])

    @property
    def authority(self):
        return f"{NAME}:{self.server.port}"

    def server_of(self, handler=None, **arguments):
        return self.enterContext(http2_origin.Origin(handler, leaf=pki.shared().leaf(NAME), **arguments))

    def device(self, server=None, proxy=None, **end):
        """A device's connection; the proxy must have kept to the RFC on it when the test ends."""
        end_point = (proxy or self.shared).http2(NAME, (server or self.server).port, **end)
        self.addCleanup(self.assertKept, end_point)
        return end_point

    def assertKept(self, end_point):
        end_point.close()
        self.assertEqual(end_point.violations, [])

    def tearDown(self):
        for connection in self.server.connections:
            self.assertEqual(connection.violations, [])
