"""gRPC by its own library: every kind of call, message by message, under every mode."""

import functools
import queue
import threading
from concurrent import futures

import grpc

import pki
from harness import RULES_BLOCK, RULES_REDACT, LoopbackTest, Proxy, eventually
from identifiers import HOSTS, IMEI, WATCHED, luhn, spellings_in

BLOCK_FINDINGS = RULES_REDACT.replace("then: redact", "then: block")
MODES = {"observe": RULES_REDACT, "record": RULES_REDACT, "redact": RULES_REDACT, "block": BLOCK_FINDINGS}
WAIT = 10


def message(text):
    """A protobuf message of one string field."""
    data = text.encode()
    return b"\x0a" + bytes((len(data),)) + data


def text_of(data):
    assert data[0] == 0x0A and data[1] == len(data) - 2, data
    return data[2:].decode()


class Service:
    """A gRPC server on the watched address that keeps every message; bytes pass as they are."""

    def __init__(self):
        self.received = []           # (method, message)
        self.ended = {}              # method: how its call ended, in order or cut
        self.metadata = {}
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Gather": grpc.stream_unary_rpc_method_handler(self.gather),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "FailLate": grpc.unary_stream_rpc_method_handler(self.fail_late),
        }
        self.go_on = threading.Event()
        self.server = grpc.server(futures.ThreadPoolExecutor(16), options=[
            ("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 16 << 20)])
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("audit.Service", handlers),))
        leaf = pki.shared().leaf(WATCHED)
        credentials = grpc.ssl_server_credentials([(leaf[1].read_bytes(), leaf[0].read_bytes())])
        self.port = self.server.add_secure_port("127.66.0.1:0", credentials)
        self.server.start()

    def forget(self):
        self.received.clear()
        self.ended.clear()
        self.go_on.clear()

    def close(self):
        self.go_on.set()
        self.server.stop(0).wait(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def keep(self, method, data, context):
        self.metadata[method] = dict(context.invocation_metadata())
        self.received.append((method, data))

    def messages(self, method):
        return [data for name, data in list(self.received) if name == method]

    def unary(self, request, context):
        self.keep("Unary", request, context)
        context.set_trailing_metadata((("x-trailer", "kept"),))
        return request

    def count(self, request, context):
        self.keep("Count", request, context)
        yield message("0")
        # only the test lets the rest go, once it has seen the first
        self.go_on.wait(WAIT)
        for number in range(1, int(text_of(request))):
            yield message(str(number))

    def gather(self, requests, context):
        for request in requests:
            self.keep("Gather", request, context)
        return message(str(len(self.messages("Gather"))))

    def chat(self, requests, context):
        over, is_finished = threading.Event(), threading.Event()

        def end():
            self.ended["Chat"] = "in order" if is_finished.is_set() else "cut"
            over.set()

        # not at the end of this function: of a call that is cut, grpc may never ask for the next answer
        context.add_callback(end)
        for request in requests:
            self.keep("Chat", request, context)
            yield request
        # the end of a stream that is cut can look like an end in order for a moment
        if not over.wait(0.3):
            is_finished.set()

    def fail(self, request, context):
        self.keep("Fail", request, context)
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing: é")

    def fail_late(self, request, context):
        yield message("before")
        context.abort(grpc.StatusCode.DATA_LOSS, "in the middle")


def in_every_mode(test):
    """Runs a test once in each mode, with a service that has seen nothing."""
    @functools.wraps(test)
    def each(self):
        for mode in MODES:
            with self.subTest(mode):
                self.service.forget()
                test(self, mode)
    return each


class GRPC(LoopbackTest):
    """gRPC calls through the proxy, from grpc's own client to grpc's own server."""

    weight = 2

    @classmethod
    def setUpClass(cls):
        cls.proxies = {mode: cls.enterClassContext(Proxy(mode=mode, hosts=HOSTS, rules=rules)) for mode, rules in MODES.items()}

    def setUp(self):
        self.service = self.enterContext(Service())

    def channel(self, mode, **options):
        proxy = mode if isinstance(mode, Proxy) else self.proxies[mode]
        credentials = grpc.ssl_channel_credentials((proxy.path / "certs/ca.crt").read_bytes())
        channel = grpc.secure_channel(f"{WATCHED}:{self.service.port}", credentials, options=[
            ("grpc.http_proxy", proxy.url), ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", 16 << 20)], **options)
        self.addCleanup(channel.close)
        return channel

    @in_every_mode
    def test_unary(self, mode):
        """A unary call passes with its metadata and trailers, in every mode, and its flow says grpc."""
        call = self.channel(mode).unary_unary("/audit.Service/Unary")
        answer, outcome = call.with_call(message(f"hello {mode}"), timeout=WAIT, metadata=(("x-mine", "1"), ("x-bytes-bin", b"\0\xff")))
        self.assertEqual(answer, message(f"hello {mode}"))
        self.assertEqual(dict(outcome.trailing_metadata())["x-trailer"], "kept")
        seen = self.service.metadata["Unary"]
        self.assertEqual((seen["x-mine"], seen["x-bytes-bin"]), ("1", b"\0\xff"))
        flow = self.proxies[mode].flow_of("/audit.Service/Unary")
        self.assertEqual((flow["protocol"], flow["status"], flow["treatment"]), ("grpc", 200, "intercepted"))

    def test_large_messages(self):
        """Messages of 3 MiB, more than is held, pass unchanged where nothing is enforced, and others around them."""
        for mode in ("observe", "record"):
            with self.subTest(mode):
                call = self.channel(mode).unary_unary("/audit.Service/Unary")
                large = bytes(range(256)) * (3 << 12)
                for body in (b"", large, b"small"):
                    self.assertEqual(call(body, timeout=WAIT), body)

    @in_every_mode
    def test_server_stream(self, mode):
        """A server's first message arrives before its last is sent, in every mode."""
        call = self.channel(mode).unary_stream("/audit.Service/Count")(message("50"), timeout=WAIT)
        self.assertEqual(text_of(next(call)), "0")
        self.service.go_on.set()
        self.assertEqual([text_of(data) for data in call], [str(number) for number in range(1, 50)])

    @in_every_mode
    def test_client_stream(self, mode):
        """A client's first message arrives before its last is sent, in every mode."""
        outgoing = queue.Queue()
        call = self.channel(mode).stream_unary("/audit.Service/Gather").future(iter(outgoing.get, None), timeout=WAIT)
        for number in range(20):
            outgoing.put(message(f"item {number}"))
            self.assertTrue(eventually(lambda: len(self.service.messages("Gather")) == number + 1))
        outgoing.put(None)
        self.assertEqual(text_of(call.result(WAIT)), "20")

    @in_every_mode
    def test_ping_pong(self, mode):
        """A conversation in which each side waits for the other goes on, in every mode, also while messages are held to redact."""
        outgoing = queue.Queue()
        call = self.channel(mode).stream_stream("/audit.Service/Chat")(iter(outgoing.get, None), timeout=WAIT)
        for number in range(20):
            outgoing.put(message(f"turn {number}"))
            self.assertEqual(text_of(next(call)), f"turn {number}")
        outgoing.put(None)
        self.assertEqual(list(call), [])
        self.assertEqual(call.code(), grpc.StatusCode.OK)

    @in_every_mode
    def test_errors(self, mode):
        """An error without any message, and one after a message, arrive with their code and words, in every mode."""
        channel = self.channel(mode)
        with self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/audit.Service/Fail")(message("x"), timeout=WAIT)
        self.assertEqual((caught.exception.code(), caught.exception.details()), (grpc.StatusCode.NOT_FOUND, "no such thing: é"))
        call = channel.unary_stream("/audit.Service/FailLate")(message("x"), timeout=WAIT)
        self.assertEqual(text_of(next(call)), "before")
        with self.assertRaises(grpc.RpcError) as caught:
            next(call)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DATA_LOSS)
        with self.assertRaises(grpc.RpcError) as caught:
            channel.unary_unary("/audit.Service/Missing")(b"", timeout=WAIT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    @in_every_mode
    def test_cancelled(self, mode):
        """A call that its client cancels is cancelled at the server, and never ended in order."""
        outgoing = queue.Queue()
        call = self.channel(mode).stream_stream("/audit.Service/Chat")(iter(outgoing.get, None), timeout=WAIT)
        outgoing.put(message("begun"))
        next(call)
        call.cancel()
        self.assertEqual(eventually(lambda: self.service.ended.get("Chat")), "cut")
        outgoing.put(None)

    def conversation(self, mode, **options):
        """Four messages, of which the third has an identifier: what the client got, and how the call ended."""
        outgoing = queue.Queue()
        call = self.channel(mode, **options).stream_stream("/audit.Service/Chat")(iter(outgoing.get, None), timeout=WAIT)
        answers = []
        try:
            for text in ("one", "two", f"id={IMEI};", "four"):
                outgoing.put(message(text))
                answers.append(text_of(next(call)))
        except grpc.RpcError:
            pass
        outgoing.put(None)
        return answers, call

    def findings_in(self, proxy, word):
        found = eventually(lambda: [finding for finding in proxy.findings() if word in finding["url"]])
        return {(finding["kind"], finding["direction"], finding["applied"]) for finding in found or []}

    def test_found(self):
        """An identifier in the third message is found in record and observe mode, and everything passes."""
        for mode in ("observe", "record"):
            with self.subTest(mode):
                answers, call = self.conversation(mode)
                self.assertEqual(answers, ["one", "two", f"id={IMEI};", "four"])
                self.assertEqual(call.code(), grpc.StatusCode.OK)
                self.assertIn(("imei", "request", "log"), self.findings_in(self.proxies[mode], "/audit.Service/Chat"))

    def test_redacted(self):
        """In redact mode the third message arrives with a pseudonym, as a message that parses, and the call goes on."""
        for label, options in {"plain": {}, "gzip": {"compression": grpc.Compression.Gzip}}.items():
            with self.subTest(label):
                self.service.forget()
                answers, call = self.conversation("redact", **options)
                self.assertEqual((answers[:2], answers[3:]), (["one", "two"], ["four"]))
                seen = text_of(self.service.messages("Chat")[2])
                self.assertRegex(seen, r"^id=\d{15};$")
                self.assertTrue(luhn(seen[3:18]))
                self.assertEqual(spellings_in(b"".join(self.service.messages("Chat"))), [])
                self.assertEqual(call.code(), grpc.StatusCode.OK)
                self.assertIn(("imei", "request", "redact"), self.findings_in(self.proxies["redact"], "/audit.Service/Chat"))

    def test_redacted_unary(self):
        """In redact mode a unary call's identifier is replaced, in message and metadata."""
        call = self.channel("redact").unary_unary("/audit.Service/Unary")
        answer = text_of(call(message(f"imei {IMEI}"), timeout=WAIT, metadata=(("x-device", IMEI),)))
        self.assertRegex(answer, r"^imei \d{15}$")
        self.assertNotIn(IMEI, answer)
        self.assertEqual(self.service.metadata["Unary"]["x-device"], answer[5:])

    def test_blocked(self):
        """In block mode the call ends with PERMISSION_DENIED at the third message, which never arrives, and the channel lives."""
        for label, options in {"plain": {}, "gzip": {"compression": grpc.Compression.Gzip}}.items():
            with self.subTest(label):
                self.service.forget()
                answers, call = self.conversation("block", **options)
                self.assertEqual(answers, ["one", "two"])
                self.assertEqual(call.code(), grpc.StatusCode.PERMISSION_DENIED)
                self.assertEqual([text_of(data) for data in self.service.messages("Chat")], ["one", "two"])
                self.assertEqual(eventually(lambda: self.service.ended.get("Chat")), "cut")
                self.assertIn(("imei", "request", "block"), self.findings_in(self.proxies["block"], "/audit.Service/Chat"))

    def test_blocked_unary(self):
        """In block mode a unary call is answered PERMISSION_DENIED with the rule's name, and the next one is served."""
        channel = self.channel("block")
        call = channel.unary_unary("/audit.Service/Unary")
        for metadata, text in (((), f"imei {IMEI}"), ((("x-device", IMEI),), "clean")):
            with self.assertRaises(grpc.RpcError) as caught:
                call(message(text), timeout=WAIT, metadata=metadata)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
            self.assertIn("identifiers-to-watched-regions", caught.exception.details())
        self.assertEqual(self.service.messages("Unary"), [])
        self.assertEqual(call(message("clean"), timeout=WAIT), message("clean"))

    def test_sinkholed(self):
        """A sinkholed gRPC server is not dialled, and its caller gets PERMISSION_DENIED."""
        proxy = self.proxy(mode="block", hosts=HOSTS, rules=RULES_BLOCK)
        call = self.channel(proxy).unary_unary("/audit.Service/Unary")
        with self.assertRaises(grpc.RpcError) as caught:
            call(message(f"imei {IMEI}"), timeout=WAIT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(self.service.received, [])
        flow = proxy.flow_of("/audit.Service/Unary")
        self.assertEqual((flow["treatment"], flow["applied"]), ("sinkhole", "block"))
