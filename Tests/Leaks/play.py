#!/usr/bin/env python3
"""Plays a corpus through a running tidewaiter to real origins: `play.py [--mode M] [--corpus FOLDER] [--out FILE]`.

Prints the scorer's summary. README.md says what else there is.
"""

import argparse
import base64
import concurrent.futures
import dataclasses
import json
import pathlib
import sys
import threading

import corpus as corpora

sys.dont_write_bytecode = True

import environment  # noqa: E402

if __name__ == "__main__":
    environment.enter()

import http2  # noqa: E402
import http2_origin  # noqa: E402
import origins  # noqa: E402
import pki  # noqa: E402
import sockets  # noqa: E402
from harness import Proxy, merged  # noqa: E402
from wire import Truncated  # noqa: E402

WORKERS = 4


@dataclasses.dataclass
class Arrival:
    """What an origin got of one request."""

    target: str
    fields: list
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    # of a WebSocket: (opcode, message, lengths of its frames), after inflating
    messages: list = dataclasses.field(default_factory=list)
    is_whole: bool = False
    error: str | None = None

    def get(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


@dataclasses.dataclass
class Outcome:
    """What a client got of one request."""

    status: int = 0
    error: str | None = None
    body: bytes = b""
    grpc_status: str | None = None


class Sink:
    """The origins of a corpus: one for each address, scheme and protocol, each at a port of the kernel's choice."""

    def __init__(self, corpus, reply=None):
        self.corpus = corpus
        # a function of the Arrival: status, fields and body of the answer
        self.reply = reply or (lambda arrival: (200, [("Content-Type", "text/plain")], b"ok"))
        self.arrivals = {}
        self.lock = threading.Lock()
        self.servers = {}
        for flow in corpus.flows:
            self.server(flow["host"], self.way(flow))

    @staticmethod
    def way(flow):
        return "plain" if flow["scheme"] == "http" else "h2" if flow["proto"] == "h2" else "tls"

    def server(self, host, way):
        with self.lock:
            if (host, way) not in self.servers:
                address = self.corpus.hosts[host]
                if way == "h2":
                    server = http2_origin.Origin(self.take_stream, leaf=pki.shared().leaf(host), address=address)
                else:
                    leaf = pki.shared().leaf(host) if way == "tls" else None
                    server = origins.Origin(self.take, leaf=leaf, address=address)
                self.servers[host, way] = server
            return self.servers[host, way]

    def connections(self, is_watched):
        """How many TCP connections the origins in, or outside, the watched region have accepted."""
        return sum(server.accepted for (host, _), server in self.servers.items()
                   if (self.corpus.country(host) == "CN") == is_watched)

    def keep(self, arrival):
        with self.lock:
            self.arrivals.setdefault(arrival.get("X-Request-Id"), []).append(arrival)

    def of(self, flow):
        return self.arrivals.get(flow["rid"], [])

    def take(self, exchange):
        request = exchange.request
        arrival = Arrival(request.target, request.fields)
        self.keep(arrival)
        if (request.get("Upgrade") or "").lower() == "websocket":
            self.take_messages(exchange, arrival)
            return False
        try:
            arrival.body = exchange.body()
            arrival.trailers = request.trailers
            arrival.is_whole = True
        except Truncated as error:
            arrival.body, arrival.error = error.received, str(error)
            raise
        status, fields, body = self.reply(arrival)
        exchange.reply(status, body, fields)
        return True

    def take_messages(self, exchange, arrival):
        is_deflated = "permessage-deflate" in (exchange.request.get("Sec-WebSocket-Extensions") or "")
        socket = sockets.accepted(exchange, [sockets.DEFLATE] if is_deflated else [])
        coding, pieces, opcode, is_compressed = sockets.Deflate(), [], None, False
        while (frame := socket.frame()) is not None:
            if frame.opcode == sockets.CLOSE:
                arrival.is_whole = not pieces
                socket.send(sockets.CLOSE, frame.payload)
                return
            if frame.opcode in (sockets.PING, sockets.PONG):
                continue
            if frame.opcode != sockets.CONTINUATION:
                opcode, is_compressed = frame.opcode, bool(frame.reserved & sockets.COMPRESSED)
            pieces.append(frame.payload)
            if frame.is_final:
                message = b"".join(pieces)
                arrival.messages.append((opcode, coding.inflated(message) if is_compressed else message,
                                         [len(piece) for piece in pieces]))
                pieces = []
        arrival.error = "the socket ended without a close frame"

    def take_stream(self, stream):
        fields = [(name, value) for name, value in stream.fields if not name.startswith(":")]
        arrival = Arrival(stream.get(":path"), fields)
        self.keep(arrival)
        try:
            stream.whole(20)
            arrival.is_whole = True
        except http2.Gone as error:
            arrival.error = str(error)
            return
        finally:
            arrival.body, arrival.trailers = bytes(stream.body), stream.trailers
        if (arrival.get("content-type") or "").startswith("application/grpc"):
            stream.send_head([(":status", "200"), ("content-type", "application/grpc")])
            stream.send_trailers([("grpc-status", "0")])
            return
        status, fields, body = self.reply(arrival)
        stream.reply(status, body, [(name.lower(), value) for name, value in fields])

    def close(self):
        for server in self.servers.values():
            server.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def pieces(data, sizes):
    """`data` cut at these sizes, over and over."""
    start, index, cut = 0, 0, []
    while start < len(data):
        size = max(1, sizes[index % len(sizes)]) if sizes else len(data)
        cut.append(data[start:start + size])
        start, index = start + size, index + 1
    return cut


class Phone:
    """Sends flows as the device would, each on a connection of its own."""

    def __init__(self, proxy, sink):
        self.proxy, self.sink = proxy, sink

    def play(self, flow):
        try:
            return self._play(flow)
        except (OSError, Truncated, AssertionError, http2.Gone, TimeoutError) as error:
            return Outcome(error=f"{type(error).__name__}: {error}")

    def _play(self, flow):
        port = self.sink.server(flow["host"], self.sink.way(flow)).port
        authority = f"{flow['host']}:{port}"
        if flow["scheme"] == "http":
            with self.proxy.dial() as wire:
                return self._exchange(wire, flow, f"http://{authority}{flow['target']}", authority)
        if flow["proto"] == "h2":
            return self._stream(flow, port, authority)
        answer, wire = self.proxy.connect(authority)
        if answer.status != 200:
            wire.close()
            return Outcome(answer.status, body=answer.body)
        with self._secure(wire, flow["host"]) as wire:
            if flow["proto"] == "ws":
                return self._socket(wire, flow, authority)
            return self._exchange(wire, flow, flow["target"], authority)

    def _secure(self, wire, host):
        from wire import Wire
        context = self.proxy.context()
        return Wire(context.wrap_socket(wire.sock, server_hostname=host, suppress_ragged_eofs=False))

    @staticmethod
    def _exchange(wire, flow, target, authority):
        body, framing = base64.b64decode(flow["body_b64"]), flow["framing"]
        has_body = bool(body) or flow["method"] in ("POST", "PUT", "PATCH")
        lines = [f"{flow['method']} {target} HTTP/1.1", f"Host: {authority}"]
        lines += [f"{name}: {value}" for name, value in flow["headers"]]
        is_chunked = has_body and framing["type"] == "chunked"
        if is_chunked:
            lines.append("Transfer-Encoding: chunked")
        elif has_body:
            lines.append(f"Content-Length: {len(body)}")
        wire.send("\r\n".join(lines).encode() + b"\r\n\r\n")
        try:
            if is_chunked:
                for piece in pieces(body, framing.get("chunks")):
                    wire.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                wire.send(b"0\r\n\r\n")
            elif body:
                wire.send(body)
        except OSError:
            pass  # refused while it was sent: the answer says so
        answer = wire.response(flow["method"])
        return Outcome(answer.status, body=answer.body)

    def _stream(self, flow, port, authority):
        answer, wire = self.proxy.connect(authority)
        wire.close()
        if answer.status != 200:
            return Outcome(answer.status, body=answer.body)
        end = self.proxy.http2(flow["host"], port)
        try:
            body = base64.b64decode(flow["body_b64"])
            fields = [(name.lower(), value) for name, value in flow["headers"]]
            stream = end.request(authority, flow["target"], flow["method"], fields=fields, end=not body)
            try:
                cut = pieces(body, flow["framing"].get("chunks"))
                for index, piece in enumerate(cut):
                    stream.send(piece, end=index == len(cut) - 1)
            except http2.Gone:
                pass  # refused while it was sent: the answer says so
            stream.head(20)
            stream.wait(lambda: stream.is_ended, 20)
            said = dict([*stream.fields, *stream.trailers])
            return Outcome(stream.status, body=bytes(stream.body), grpc_status=said.get("grpc-status"))
        finally:
            end.close()

    @staticmethod
    def _socket(wire, flow, authority):
        is_deflated = flow["ws"].get("deflate")
        fields = [tuple(field) for field in flow["headers"]] + ([sockets.DEFLATE] if is_deflated else [])
        socket = sockets.opened(wire, flow["target"], authority, fields)
        if not isinstance(socket, sockets.RawSocket):
            return Outcome(socket.status, body=socket.body)
        has_deflate = "permessage-deflate" in (socket.answer.get("Sec-WebSocket-Extensions") or "")
        coding = sockets.Deflate()
        try:
            for message in flow["ws"]["msgs"]:
                data = base64.b64decode(message["data_b64"])
                if has_deflate:
                    data = coding.deflated(data)
                cut = pieces(data, message.get("frag")) or [b""]
                for index, piece in enumerate(cut):
                    socket.send(message["op"] if index == 0 else sockets.CONTINUATION, piece, index == len(cut) - 1,
                                sockets.COMPRESSED if has_deflate and index == 0 else 0)
            socket.close(1000)
        except OSError:
            pass  # closed on us: the close frame says so
        frames = socket.frames()
        code = frames[-1].code if frames and frames[-1].opcode == sockets.CLOSE else None
        return Outcome(101 if code == 1000 else 451, error=None if code == 1000 else f"closed with {code}")


@dataclasses.dataclass
class Run:
    """One corpus played through one proxy: what clients got, what origins got, what the case says."""

    corpus: object
    outcomes: dict
    sink: Sink
    findings: list
    flows: list
    errors: list

    def arrivals(self, flow):
        return self.sink.of(flow)

    def scored(self):
        """The findings as the scorer reads them."""
        return [{"url": finding["url"], "kind": finding["kind"], "location": finding["location"],
                 "encoding": finding["encoding"]} for finding in self.findings if finding["direction"] == "request"]

    def score(self):
        import score
        return score.score(self.corpus.truth, self.scored(), score.load_map())


def start(corpus, mode, rules, config=None, folder=None):
    """A proxy that knows the corpus's hosts, regions and device."""
    settings = {
        "regions": {"databases": corpus.databases(lambda *_: None), "watch": ["CN"], "sets": {"lab-cn": {"cidr": []}}},
        # of the clock, not of CPU: a debug build on a busy machine must not run out of it; cost.py keeps the default
        "inspect": {"time": "5s"}}

    device = json.dumps(corpus.device(), ensure_ascii=False, indent=1)
    return Proxy(mode=mode, hosts=corpus.hosts, rules=rules, device=device, path=folder, config=merged(settings, config or {}),
                 before_start=lambda proxy: corpus.databases(proxy.write))


def play(corpus, mode="record", rules=corpora.REDACT, config=None, reply=None, only=None, folder=None):
    """Plays the corpus, or the flows of it that `only` holds, and returns the Run; everything is stopped then."""
    flows = [flow for flow in corpus.flows if only is None or flow["id"] in only]
    with Sink(corpus, reply) as sink, start(corpus, mode, rules, config, folder) as proxy:
        phone = Phone(proxy, sink)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            outcomes = dict(zip([flow["id"] for flow in flows], pool.map(phone.play, flows)))
        proxy.stop()
        file = proxy.case / "findings.ndjson"
        findings = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return Run(corpus, outcomes, sink, findings, proxy.flows(), proxy.errors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default=corpora.PUBLIC, help="a folder like Tests/Fixtures/leaks/public")
    parser.add_argument("--mode", default="record", choices=("observe", "record", "redact", "block"))
    parser.add_argument("--out", help="write the scorer's findings lines here")
    parser.add_argument("--only", nargs="*", help="ids of flows")
    parser.add_argument("--folder", help="the proxy's folder: it, and the case in it, stay there")
    parser.add_argument("--all", action="store_true", help="print every row of the tables, not only those with a mistake")
    options = parser.parse_args()
    import score
    corpus = corpora.Corpus(options.corpus)
    if options.only:
        corpus.truth = {name: truth for name, truth in corpus.truth.items() if name in options.only}
    run = play(corpus, options.mode, only=options.only, folder=options.folder)
    for name, outcome in run.outcomes.items():
        if outcome.status not in (200, 101):
            print(f"{name}: status {outcome.status} {outcome.error or ''}")
    if options.out:
        pathlib.Path(options.out).write_text("".join(json.dumps(line) + "\n" for line in run.scored()))
    result = run.score()
    print(score.summary(result))
    for tab in ("kind", "encoding", "container"):
        print(score.table(result, tab, low_only=not options.all))
    for row in result["missed"]:
        print("missed", *row)
    for row in result["false_positives"]:
        print("wrong ", *row)
    if result["unmapped_kinds"] or result["unattributed_findings"]:
        print("unmapped", result["unmapped_kinds"], "unattributed", result["unattributed_findings"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
