"""A real browser, through the proxy, with the exported authority in its store."""

import hashlib
import threading

import pki
from browser import Browser
from harness import LoopbackTest, Proxy, eventually
from origins import Nginx
from programs import NginxHTTP2
from sockets import EchoServer

NAME = "page.example"
COUNT = 100
STYLE = "body{font:16px sans-serif;margin:2em}h1{font-size:20px}#result{padding:1em;background:#eef6ee;border:1px solid #393}"


def page(title, script, head="", body=""):
    """A page that says what came of it in `result`, and sets its title to `done`."""
    return (f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title><link rel=icon href='data:,'><style>{STYLE}</style>"
            f"<script>function done(text){{document.getElementById('result').textContent=text;document.title='done'}}</script>{head}"
            f"</head><body><h1>{title}</h1><p id=result>waiting</p>{body}<script>{script}</script></body></html>")


def page_of_100():
    """A page that counts what loaded and what failed."""
    head, body = ["<script>var good=0,bad=0;function ok(){good++}function no(){bad++}</script>"], []
    for number in range(COUNT):
        if number % 4 == 0:
            head.append(f"<link rel=stylesheet href=/{number}.css onload=ok() onerror=no()>")
        elif number % 4 == 1:
            head.append(f"<script src=/{number}.js onload=ok() onerror=no()></script>")
        else:
            body.append(f"<img src=/{number}.svg onload=ok() onerror=no() alt=''>")
    return page("A page of 100", "addEventListener('load',function(){done('loaded '+good+' failed '+bad+' by '+"
                "performance.getEntriesByType('navigation')[0].nextHopProtocol)})", "".join(head), "".join(body))


SOCKET_PAGE = """
const socket = new WebSocket('wss://%s/');
const sent = ['text', 'x'.repeat(200000), '\\u65e5\\u672c\\u8a9e', new Uint8Array([0, 255, 1])], got = [];
socket.binaryType = 'arraybuffer';
socket.onopen = () => sent.forEach(message => socket.send(message));
socket.onerror = () => done('error');
socket.onmessage = event => { if (got.push(event.data) == sent.length) socket.close(1000, 'enough') };
socket.onclose = event => {
  const last = new Uint8Array(got[3] || []);
  const same = got.slice(0, 3).every((message, index) => message === sent[index]) && last.join() == '0,255,1';
  done('same ' + same + ', closed ' + event.code + ' ' + event.wasClean + ', ' + socket.extensions.split(';')[0]);
};
"""
EVENTS_PAGE = """
const events = new EventSource('/events'), seen = [];
events.onmessage = event => {
  seen.push(event.lastEventId + '=' + event.data);
  fetch('/seen?' + event.lastEventId).then(answer => answer.text());
};
events.addEventListener('last', () => { events.close(); done(seen.join(' ')) });
events.onerror = () => done('error after ' + seen.join(' '));
"""
UPLOAD_PAGE = """
const body = new Uint8Array(1 << 20).map((_, index) => index * 7 % 251);
fetch('/upload', { method: 'POST', body }).then(answer => answer.text()).then(done, error => done('error ' + error));
"""


class Chromium(LoopbackTest):
    weight = 9

    @classmethod
    def setUpClass(cls):
        cls().need("chromium", "certutil", "nginx")
        cls.shared = cls.enterClassContext(Proxy(hosts={NAME: "127.0.0.1"}))
        cls.browser = cls.enterClassContext(Browser(cls.shared))

    def assertShows(self, url, text, name):
        """The page comes to say so, and its console stays clean."""
        self.browser.complaints.clear()
        shown = self.browser.result_of(url)
        self.browser.screenshot(name)
        self.assertEqual(shown, text, (self.browser.complaints[:3], self.shared.said()))
        self.assertEqual(self.browser.complaints, [])

    def served(self, title, script, handler=None):
        """An origin with one page, and what else the page asks for."""
        html = page(title, script).encode()

        def answer(exchange):
            if exchange.request.target == "/":
                return exchange.reply(body=html, fields=[("Content-Type", "text/html; charset=utf-8")])
            return handler(exchange)

        return self.tls_origin(NAME, handler=answer)

    def load_100(self, server, protocol):
        (server.root / "index.html").write_text(page_of_100())
        for number in range(COUNT):
            kind = ("css", "js", "svg", "svg")[number % 4]
            text = {"css": f".c{number} {{ color: #123456 }}\n", "js": f"window.v{number} = {number};\n",
                    "svg": "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='9' height='9' fill='#393'/></svg>"}
            (server.root / f"{number}.{kind}").write_text(text[kind])
        self.assertShows(f"https://{NAME}:{server.port}/", f"loaded {COUNT} failed 0 by {protocol}",
                         f"page-of-100-{protocol.replace('/', '')}")
        self.assertGreaterEqual(len({line[3] for line in server.log() if line[4] == "200"}), COUNT + 1)

        def rows():
            flows = [flow for flow in self.shared.flows() if flow["port"] == server.port]
            return len(flows) > COUNT and flows
        flows = eventually(rows)
        self.assertTrue(flows)
        self.assertEqual([flow for flow in flows if flow["error"]], [])
        return flows

    def test_page_of_100(self):
        """Headless Chromium loads a page of 100 sub-resources over TLS through the proxy without an error."""
        self.load_100(self.enterContext(Nginx(pki.shared().leaf(NAME))), "http/1.1")

    def test_page_of_100_over_h2(self):
        """Chromium loads a page of 100 sub-resources over HTTP/2 on both legs, in one connection, without an error."""
        server = self.enterContext(NginxHTTP2(pki.shared().leaf(NAME)))
        flows = self.load_100(server, "h2")
        self.assertEqual({flow["protocol"] for flow in flows}, {"h2"})
        self.assertEqual({line[5] for line in server.log()}, {"HTTP/2.0"})
        self.assertEqual(len({line[0] for line in server.log()}), 1)

    def test_websocket(self):
        """A page's WebSocket echoes text and binary messages, compressed, and closes cleanly; the case has its messages."""
        echo = self.enterContext(EchoServer(pki.shared().leaf(NAME)))
        server = self.served("A WebSocket", SOCKET_PAGE % f"{NAME}:{echo.port}")
        self.assertShows(f"https://{NAME}:{server.port}/", "same true, closed 1000 true, permessage-deflate", "websocket")

        def look():
            return [flow for flow in self.shared.flows() if flow["port"] == echo.port and flow["ended"]]
        flows = eventually(look)
        self.assertEqual([(flow["protocol"], flow["status"], flow["error"]) for flow in flows], [("websocket", 101, None)])

    def test_event_source(self):
        """A page's EventSource gets each event before the next is sent."""
        seen = {str(number): threading.Event() for number in range(5)}
        missed = []

        def handler(exchange):
            path, _, number = exchange.request.target.partition("?")
            if path == "/seen":
                seen[number].set()
                return exchange.reply()
            exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                          b"Transfer-Encoding: chunked\r\n\r\n")
            for number, event in seen.items():
                text = f"id: {number}\ndata: event {number}\n\n".encode()
                exchange.send(b"%x\r\n%s\r\n" % (len(text), text))
                if not event.wait(8):
                    missed.append(number)
            text = b"event: last\ndata: x\n\n"
            exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))

        server = self.served("An EventSource", EVENTS_PAGE, handler)
        self.assertShows(f"https://{NAME}:{server.port}/", " ".join(f"{number}=event {number}" for number in seen), "event-source")
        self.assertEqual(missed, [])

    def test_upload(self):
        """A page's fetch uploads 1 MiB, byte for byte."""
        server = self.served("An upload", UPLOAD_PAGE, lambda exchange: exchange.reply(
            body=hashlib.sha256(exchange.body()).hexdigest().encode()))
        whole = bytes(index * 7 % 251 for index in range(1 << 20))
        self.assertShows(f"https://{NAME}:{server.port}/", hashlib.sha256(whole).hexdigest(), "upload")
