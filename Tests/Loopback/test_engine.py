"""The engine's sockets: how they end, that none is left behind, and who is told."""

import json
import os
import select
import socket
import subprocess
import threading

from harness import LoopbackTest, binary, environment_with, eventually
from ports import listener


def descriptors(proxy):
    return len(os.listdir(f"/proc/{proxy.process.pid}/fd"))


class Engine(LoopbackTest):
    def test_stalled_reader(self):
        """A device that stops reading gets the whole body or a reset, never a short one with a clean end."""
        def handler(exchange):
            exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(int(exchange.request.target.split("?")[1])))
            return False

        server = self.origin(handler)
        proxy = self.proxy(hosts={"a.example": "127.0.0.1"}, config={"timeouts": {"idle": "2s"}})
        before = descriptors(proxy)
        # some fit into the kernel's buffers, some into ours as well, the last into neither
        sizes = [*range(2_600_000, 3_300_000, 50_000), 12_000_000]
        readers = []
        for size in sizes:
            sock = self.enterContext(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", proxy.port))
            sock.sendall(f"GET http://a.example:{server.port}/c?{size} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
            readers.append((size, sock))
        self.assertTrue(eventually(lambda: len(proxy.flows()) == len(sizes)))
        self.assertTrue(eventually(lambda: descriptors(proxy) <= before + 1, 20), "the legs stay open")
        resets = 0
        for size, sock in readers:
            sock.settimeout(10)
            got = bytearray()
            try:
                while piece := sock.recv(1 << 20):
                    got += piece
                self.assertEqual(len(got) - got.index(b"\r\n\r\n") - 4, size)
            except ConnectionResetError:
                resets += 1
        self.assertGreater(resets, 0, "no body was longer than the buffers")

    def test_slow_reader(self):
        """A device that reads late, after all of the answer has come, gets all of it."""
        body = bytes(3_000_000)

        def handler(exchange):
            exchange.send(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            return False

        server = self.origin(handler)
        proxy = self.proxy(hosts={"a.example": "127.0.0.1"})
        with proxy.dial() as wire:
            wire.send(f"GET http://a.example:{server.port}/late HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
            proxy.flow_of("/late")
            self.assertEqual(len(wire.response().body), len(body))

    def test_refused_request_leaves_no_socket(self):
        """A request that is refused while its server is dialled leaves no connection behind."""
        server = self.enterContext(listener())
        host = f"127.0.0.1:{server.getsockname()[1]}"
        accepted = []
        self.addCleanup(lambda: [sock.close() for sock in accepted])
        proxy = self.proxy()
        before = descriptors(proxy)
        for _ in range(20):
            with proxy.dial() as wire:
                wire.send(f"POST http://{host}/ HTTP/1.1\r\nHost: {host}\r\n"
                          "Transfer-Encoding: chunked\r\n\r\nZZ\r\n".encode())
                wire.fill()
            while select.select([server], [], [], 0.05)[0]:
                accepted.append(server.accept()[0])
        self.assertTrue(eventually(lambda: descriptors(proxy) <= before + 2), f"{before} -> {descriptors(proxy)}")

    def test_reload_while_stopping(self):
        """Reloads that come while the proxy stops do not keep it from stopping."""
        for _ in range(3):
            proxy = self.proxy()
            done = threading.Event()

            def ask():
                while not done.is_set():
                    try:
                        with socket.socket(socket.AF_UNIX) as sock:
                            sock.settimeout(5)
                            sock.connect(str(proxy.path / "cases/control.sock"))
                            sock.sendall(b'{"command":"reload"}\n')
                            answers.append(sock.recv(65536))
                    except OSError:
                        done.wait(0.005)

            answers = []
            askers = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
            for asker in askers:
                asker.start()
            self.assertTrue(eventually(lambda: any(b"in force" in answer for answer in answers)), answers)
            try:
                proxy.stop()
            finally:
                done.set()
                for asker in askers:
                    asker.join(10)

    def test_strangers(self):
        """A client outside listen.allow is named once, with what to do."""
        proxy = self.proxy(config={"listen": {"allow": ["10.0.0.0/8"]}})
        for _ in range(5):
            with proxy.dial() as wire:
                self.assertTrue(wire.is_at_end())
        self.assertTrue(eventually(lambda: proxy.errors))
        proxy.stop()
        said = [line for line in proxy.errors if "127.0.0.1" in line]
        self.assertEqual(len(said), 1, proxy.errors)
        self.assertIn("listen.allow", said[0])

    def test_follow(self):
        """flows --follow shows a flow when it ends, also while an earlier one is still open."""
        go = threading.Event()

        def handler(exchange):
            if "long" in exchange.request.target:
                go.wait(20)
            exchange.reply()

        server = self.origin(handler)
        self.addCleanup(go.set)
        proxy = self.proxy(hosts={"a.example": "127.0.0.1"})
        follower = subprocess.Popen(
            [binary(), "flows", "--follow", "--json", "--case", "case", "status:200"], cwd=proxy.path,
            env=environment_with(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        urls = []
        reader = threading.Thread(
            target=lambda: urls.extend(json.loads(line)["url"] for line in follower.stdout), daemon=True)
        reader.start()
        self.addCleanup(follower.stdout.close)
        self.addCleanup(reader.join, 10)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        host = f"a.example:{server.port}"
        with proxy.dial() as long, proxy.dial() as short:
            long.send(f"GET http://{host}/long HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            proxy.flow_of("/long", ended=False)
            short.request("GET", f"http://{host}/short", host)
            self.assertTrue(eventually(lambda: urls), "nothing is shown while an earlier flow is open")
            go.set()
            self.assertTrue(eventually(lambda: len(urls) == 2), urls)
            self.assertEqual([url.rsplit("/", 1)[1] for url in urls], ["short", "long"])
