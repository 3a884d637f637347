"""HTTP/2 between programs that are not ours: curl, nghttp, h2load and httpx with nghttpd and nginx."""

import hashlib
import re

import httpx

import pki
from harness import LoopbackTest, Proxy, eventually
from origins import pattern
from programs import Bridge, Nghttpd, NginxHTTP2, run

NAME = "origin.example"


class Programs(LoopbackTest):
    """Real clients and servers speak HTTP/2 through the proxy as they do without it."""

    weight = 2

    @classmethod
    def setUpClass(cls):
        cls.leaf = pki.shared().leaf(NAME)
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))

    def nginx(self):
        self.need("nginx")
        server = self.enterContext(NginxHTTP2(self.leaf))
        (server.root / "page.html").write_bytes(b"<p>a page of nginx's</p>")
        (server.root / "large").write_bytes(pattern(20 << 20))
        return server

    def nghttpd(self, *arguments):
        self.need("nghttpd")
        server = self.enterContext(Nghttpd(self.leaf, *arguments))
        (server.root / "page.html").write_bytes(b"<p>a page of nghttpd's</p>")
        return server

    def curl(self, url, *arguments):
        self.need("curl")
        return run("curl", "--silent", "--show-error", "--fail", "--http2", "--proxy", self.shared.url,
                   "--cacert", self.shared.path / "certs/ca.crt", "--max-time", "40", *arguments, url)

    def test_curl_and_nginx(self):
        """curl and nginx speak HTTP/2 with one another, and a file of 20 MiB arrives unchanged."""
        server = self.nginx()
        address = f"https://{NAME}:{server.port}"
        said = self.curl(f"{address}/page.html", "--write-out", "\n%{http_version} %{http_code}")
        self.assertEqual(said, b"<p>a page of nginx's</p>\n2 200")
        self.assertEqual(hashlib.sha256(self.curl(f"{address}/large")).digest(), hashlib.sha256(pattern(20 << 20)).digest())
        self.assertTrue(eventually(lambda: len(server.log()) == 2))
        self.assertEqual({row[-1] for row in server.log()}, {"HTTP/2.0"})
        self.assertEqual(self.shared.flow_of(f"{server.port}/page.html")["protocol"], "h2")

    def test_curl_in_parallel(self):
        """curl's fifty transfers at once over one connection arrive whole."""
        server = self.nginx()
        said = self.curl(f"https://{NAME}:{server.port}/page.html?[1-50]", "--parallel", "--parallel-max", "50")
        self.assertEqual(said, b"<p>a page of nginx's</p>" * 50)
        self.assertTrue(eventually(lambda: len(server.log()) == 50))

    def test_curl_and_nghttpd(self):
        """curl's upload of 8 MiB comes back from nghttpd unchanged."""
        server = self.nghttpd("--echo-upload")
        file = self.shared.write("upload", "")
        file.write_bytes(pattern(8 << 20))
        said = self.curl(f"https://{NAME}:{server.port}/echo", "--data-binary", f"@{file}")
        self.assertEqual(hashlib.sha256(said).digest(), hashlib.sha256(pattern(8 << 20)).digest())
        self.assertTrue(any("recv (stream_id=1) :method: POST" in line for line in server.lines))

    def test_nghttp(self):
        """nghttp, which prioritises and pings as browsers did, loads a page of nghttpd's and all that it names, trailers too."""
        self.need("nghttp", "socat")
        server = self.nghttpd("--trailer", "x-end: 1")
        names = [f"image-{number}.png" for number in range(30)]
        for name in names:
            (server.root / name).write_bytes(pattern(20_000))
        (server.root / "all.html").write_text("<html><head>" + "".join(f'<link rel="stylesheet" href="{name}">' for name in names) + "</head></html>")
        bridge = self.enterContext(Bridge(self.shared, NAME, server.port))
        said = run("nghttp", "-nvas", "-y", "-H", f":authority: {NAME}:{server.port}", f"https://127.0.0.1:{bridge.port}/all.html",
                   wait=40).decode("utf-8", "replace")
        self.assertIn("The negotiated protocol: h2", said)
        self.assertEqual(len(re.findall(r"recv \(stream_id=\d+\) :status: 200", said)), 1 + len(names))
        self.assertEqual(len(re.findall(r"recv \(stream_id=\d+\) x-end: 1", said)), 1 + len(names))
        self.assertNotIn("INVALID", said)
        served = "\n".join(server.lines)
        for name in ("all.html", *names):
            self.assertIn(f":path: /{name}", served)

    def test_h2load(self):
        """Two thousand requests of h2load, fifty streams on each of four connections, succeed without one error."""
        self.need("h2load", "socat")
        server = self.nginx()
        bridge = self.enterContext(Bridge(self.shared, NAME, server.port))
        said = run("h2load", "-n", "2000", "-c", "4", "-m", "50", f"--connect-to=127.0.0.1:{bridge.port}",
                   f"https://{NAME}:{server.port}/page.html").decode()
        self.assertIn("Application protocol: h2", said)
        self.assertRegex(said, r"requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout")
        self.assertIn("status codes: 2000 2xx", said)

    def test_httpx(self):
        """httpx, which holds its peer to the RFC, sends and receives over HTTP/2 through the proxy."""
        server = self.nghttpd("--echo-upload")
        with httpx.Client(http2=True, http1=False, proxy=self.shared.url, verify=self.shared.context(), trust_env=False, timeout=20) as client:
            address = f"https://{NAME}:{server.port}"
            for _ in range(20):
                answer = client.get(f"{address}/page.html")
                self.assertEqual((answer.http_version, answer.status_code, answer.content), ("HTTP/2", 200, b"<p>a page of nghttpd's</p>"))
            self.assertEqual(client.post(f"{address}/echo", content=pattern(1 << 20)).content, pattern(1 << 20))
            self.assertEqual(client.head(f"{address}/page.html").headers["content-length"], "26")
            self.assertEqual(client.get(f"{address}/missing").status_code, 404)
            with client.stream("GET", f"{address}/page.html") as answer:
                self.assertEqual(b"".join(answer.iter_bytes()), b"<p>a page of nghttpd's</p>")
        # one connection carried it all, on the server's side too
        self.assertEqual(len({match.group(1) for line in server.lines if (match := re.match(r"\[id=(\d+)\]", line))}), 1)
