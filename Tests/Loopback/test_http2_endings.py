"""HTTP/2 streams and connections that end before their time."""

import threading

import http2
from harness import eventually
from http2_test import NAME, HTTP2Test


class Ending(HTTP2Test):
    """Streams and connections that end before their time: nothing cut is ever made whole."""

    def test_reset_by_the_server(self):
        """A server's reset arrives as a reset with its code, and the other streams live."""
        device = self.device()
        other = device.request(self.authority, "/echo", "POST", end=False)
        for code in (http2.INTERNAL_ERROR, http2.CANCEL):
            stream = device.request(self.authority, f"/reset?{code}")
            self.assertEqual(stream.cut(), code, stream.state())
            self.assertFalse(stream.is_ended)
            # content on its way may go with the stream, but nothing else may come
            self.assertTrue(b"short".startswith(stream.body))
        other.send(b"alive", end=True)
        self.assertEqual(bytes(other.whole().body), b"alive")

    def test_reset_before_the_head(self):
        """A server that resets a stream before any answer makes no answer appear."""
        server = self.server_of(lambda stream: stream.cancel(http2.REFUSED_STREAM))
        stream = self.device(server).request(f"{NAME}:{server.port}")
        self.assertEqual(stream.cut(), http2.REFUSED_STREAM)
        self.assertFalse(stream.has_head)

    def test_reset_by_the_device(self):
        """A device's reset reaches the server as a reset, and the other streams live."""
        device = self.device()
        other = device.request(self.authority, "/echo?other", "POST", end=False)
        stream = device.request(self.authority, "/open")
        self.assertTrue(stream.wait(lambda: stream.body))
        stream.cancel()
        self.assertEqual(self.server.connections[-1].wait_stream("/open").cut(), http2.CANCEL)
        other.send(b"alive", end=True)
        self.assertEqual(bytes(other.whole().body), b"alive")

    def test_aborted_upload(self):
        """An upload that its device resets or abandons never becomes a complete request."""
        def reset(device, stream):
            stream.cancel()

        def end(device, stream):
            device.close()

        def abort(device, stream):
            device.flush()
            device.abort()

        for way in (reset, end, abort):
            for fields in ([], [("content-length", "70000")]):
                with self.subTest(way=way.__name__, fields=fields):
                    path = f"/aborted?{way.__name__}{len(fields)}"
                    device = self.shared.http2(NAME, self.server.port)
                    stream = device.request(self.authority, path, "POST", fields=fields, end=False)
                    stream.send(b"x" * 60_000)
                    seen = eventually(lambda: [stream for stream in self.server.streams if stream.get(":path") == path])[0]
                    self.assertTrue(seen.wait(lambda: len(seen.body) == 60_000), seen.state())
                    way(device, stream)
                    seen.wait(lambda: False)
                    self.assertFalse(seen.is_ended)
                    self.assertTrue(seen.reset is not None or seen.end.is_over)
                    device.close()

    def test_cut_response(self):
        """A response whose server resets it or closes the connection never becomes complete."""
        def handler(stream):
            way, _, length = stream.get(":path")[1:].partition("-")
            stream.send_head([(":status", "200")] + ([("content-length", "1000")] if length else []))
            stream.send(b"short")
            if way == "reset":
                return stream.cancel(http2.INTERNAL_ERROR)
            stream.end.flush()
            {"notify": stream.end.close, "fin": stream.end.cut_off, "abort": stream.end.abort}[way]()

        server = self.server_of(handler)
        for way in ("reset", "notify", "fin", "abort"):
            for length in ("", "-length"):
                with self.subTest(way + length):
                    device = self.device(server)
                    stream = device.request(f"{NAME}:{server.port}", f"/{way}{length}")
                    stream.wait(lambda: False)
                    self.assertTrue(stream.is_over)
                    self.assertFalse(stream.is_ended, stream.state())
                    # a reset may take the content with it that is on its way
                    self.assertTrue(b"short".startswith(stream.body))
        self.assertEqual({flow["status"] for flow in self.shared.flows() if flow["url"].endswith(("/fin", "/notify"))}, {200})

    def test_lying_length(self):
        """A response of another length than it declares never arrives as a complete one."""
        def handler(stream):
            stream.send_head([(":status", "200"), ("content-length", "10")])
            stream.send(b"x" * int(stream.get(":path")[1:]), end=True)

        server = self.server_of(handler)
        for count in (5, 15):
            with self.subTest(count):
                stream = self.device(server).request(f"{NAME}:{server.port}", f"/{count}")
                stream.wait(lambda: False)
                self.assertTrue(stream.is_over)
                self.assertFalse(stream.is_ended, stream.state())

    def test_unended_without_content(self):
        """A message that declares a length of 0 is over when its sender ends it: trailers and resets after it arrive."""
        def handler(stream):
            if stream.get(":method") == "POST":
                stream.wait(lambda: False, 10)
                return
            stream.send_head([(":status", "200"), ("content-length", "0")])
            go[stream.get(":path")].wait(10)
            if stream.get(":path") == "/answer-reset":
                stream.cancel(http2.INTERNAL_ERROR)
            else:
                stream.send_trailers([("x-end", "1")])

        go = {"/answer-reset": threading.Event(), "/answer-trailers": threading.Event()}
        server = self.server_of(handler)
        device = self.device(server)
        authority = f"{NAME}:{server.port}"
        for path, event in go.items():
            with self.subTest(path):
                stream = device.request(authority, path).head()
                event.set()
                stream.wait(lambda: False)
                self.assertEqual((stream.is_ended, stream.trailers, stream.reset),
                                 (False, [], http2.INTERNAL_ERROR) if path == "/answer-reset" else (True, [("x-end", "1")], None))
        for path in ("/reset", "/trailers"):
            with self.subTest(path):
                stream = device.request(authority, path, "POST", fields=[("content-length", "0")], end=False)
                self.assertTrue(eventually(lambda: path in [seen.get(":path") for seen in server.streams]))
                if path == "/reset":
                    stream.cancel()
                else:
                    stream.send_trailers([("x-end", "1")])
                seen = server.stream(path)
                seen.wait(lambda: False)
                self.assertEqual((seen.is_ended, seen.trailers, seen.reset),
                                 (False, [], http2.CANCEL) if path == "/reset" else (True, [("x-end", "1")], None))

    def test_goaway(self):
        """A server's GOAWAY lets the streams that it took end, refuses the later ones, and takes no new ones there."""
        go = threading.Event()
        taken = []

        def handler(stream):
            taken.append(stream)
            if len(taken) == 3:
                stream.end.write(http2.goaway(3))
            go.wait(10)
            if stream.id <= 3:
                stream.reply(body=b"finished")

        server = self.server_of(handler)
        device = self.device(server)
        streams = [device.request(f"{NAME}:{server.port}", f"/{number}") for number in range(3)]
        self.assertEqual(streams[2].cut(), http2.REFUSED_STREAM, streams[2].state())
        go.set()
        for stream in streams[:2]:
            self.assertEqual(bytes(stream.whole().body), b"finished")
        self.assertTrue(device.wait(lambda: device.goaway or device.is_over), "the device must learn to connect anew")
        again = self.device(server)
        taken.clear()
        self.assertEqual(bytes(again.fetch(f"{NAME}:{server.port}", "/again").body), b"finished")

    def test_goaway_of_the_device(self):
        """A device's GOAWAY lets its streams end."""
        device = self.device()
        stream = device.request(self.authority, "/echo?going", "POST", end=False)
        stream.send(b"before ")
        self.assertTrue(stream.wait(lambda: stream.body))
        device.write(http2.goaway(0))
        stream.send(b"after", end=True)
        self.assertEqual(bytes(stream.whole().body), b"before after")

    def test_early_answer(self):
        """An answer that is over before its upload is arrives whole, and the server's reset stops the upload."""
        def handler(stream):
            stream.reply(413, b"too much")
            stream.cancel(http2.NO_ERROR)

        server = self.server_of(handler)
        device = self.device(server)
        stream = device.request(f"{NAME}:{server.port}", "/early", "POST", end=False)
        stream.send(b"x" * 1000)
        self.assertEqual((bytes(stream.whole().body), stream.status), (b"too much", 413))
        self.assertEqual(stream.cut(), http2.NO_ERROR)
        self.assertTrue(device.ping())

    def test_nothing_is_replayed(self):
        """A request that a server refuses or cuts off is not sent a second time."""
        def handler(stream):
            stream.end.abort()

        server = self.server_of(handler)
        stream = self.device(server).request(f"{NAME}:{server.port}", "/once", "POST")
        stream.wait(lambda: False)
        self.assertFalse(stream.is_ended and stream.status < 500)
        self.assertEqual(len(server.streams), 1)
