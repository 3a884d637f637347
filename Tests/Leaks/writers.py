"""Writes a chosen flow: the request, and what is true of it."""

import base64
import dataclasses
import gzip
import hashlib
import urllib.parse
import zlib

import brotli
import containers
import zstandard
from containers import FORMATS, tree_of
from layers import raw_deflate

TYPED = ("json", "json_ascii", "ndjson", "pb", "msgpack", "cbor", "plist", "bplist")
WORDS = ("v2", "collect", "report", "sync", "u", "ping", "stat", "m", "sdk", "device")


@dataclasses.dataclass
class Request:
    method: str = "POST"
    target: str = "/"
    scheme: str = "https"
    proto: str = "h1"
    agent: str = "okhttp/4.9.3"
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    framing: dict = dataclasses.field(default_factory=lambda: {"type": "cl"})
    ws: dict | None = None


def leaves_of(spelling):
    """A spelling as (key hint, content) leaves."""
    return list(spelling.content) if isinstance(spelling.content, tuple) else [("", spelling.content)]


def fits_document(spelling, fmt):
    """Whether a document of this format can hold the value."""
    for _, content in leaves_of(spelling):
        if isinstance(content, bytes) and fmt not in ("pb", "msgpack", "cbor", "bplist"):
            return False
        if isinstance(content, str) and fmt == "xml" and any(ord(letter) < 32 for letter in content):
            return False
        if isinstance(content, int) and (content < 0 and fmt == "pb" or content >= 1 << 63):
            return False
    return not (fmt == "form" and len(leaves_of(spelling)) > 2)


def is_bytes(keyring, spelling, chain):
    return keyring.gives(chain) == "bytes" if chain else isinstance(spelling.content, bytes)


def fits(keyring, spelling, chain, container, transfer):
    """Whether the value, through the chain, can stand in the container."""
    leaves = leaves_of(spelling)
    if container in ("path", "query", "header", "cookie", "ua", "referer", "authbasic", "csv", "text", "ws_b64") and len(leaves) > 2:
        return False
    if container in ("path", "ua", "authbasic", "text") and len(leaves) > 1:
        return False
    if container == "authbasic":
        return spelling.kind in ("email", "account_id", "msisdn", "imei") and spelling.is_text and ":" not in spelling.content and not chain
    fmt = {"jwt": "json", "ws_bin": "msgpack", "ws_text": "json", "ws_frag": "json", "ws_deflate": "json", "ws_b64": "json",
           "grpc": "pb", "grpc_gzip": "pb"}.get(container, container)
    binary = fmt in ("pb", "msgpack", "cbor", "bplist", "multipart")
    for _, content in leaves:
        if isinstance(content, bytes) and not binary and not chain and spelling.form not in ("mac_raw", "bcd", "hex", "utf16le"):
            return False
        if isinstance(content, int) and (content >= 1 << 63 or content < 0 and fmt == "pb"):
            return False
        if isinstance(content, str) and "\n" in content and container in ("header", "cookie", "ua", "path", "referer", "csv") and not chain:
            return False
    if container == "ua":
        return all(isinstance(content, str) and content.isascii() and not set(content) & set("();") for _, content in leaves) and not chain
    if transfer == "gb18030":
        try:
            return all(str(content).encode("gb18030") for _, content in leaves)
        except UnicodeEncodeError:
            return False
    return True


class Writer:
    """Common to all flows."""

    def __init__(self, planner):
        self.planner, self.random, self.noise, self.keyring = planner, planner.random, planner.noise, planner.keyring

    def request(self, token, **more):
        words = self.random.sample(WORDS, self.random.randrange(1, 3))
        agent = self.random.choice(("okhttp/4.9.3", "cronet/118.0", "QuayBrowser/6.2", "Dalvik/2.1.0 (Linux; U; Android 13)"))
        return Request(target="/" + "/".join([*words, token]), agent=agent, **more)

    def label(self, name, **more):
        return {"label": name, "container": "", "transfer": "", "items": [], "ignore": [], "shape": {}, "ctype": None, "ce": None,
                "note": "", **more}

    def put_body(self, request, label, fmt, tree, transfer="", grpc=None, shape=None):
        """The document as the body: written, wrapped, coded and framed; into the label what it is."""
        row = FORMATS[fmt]
        kind = row[2]
        body = containers.as_log(tree, tree["mark"]) if fmt == "csv" else tree["text"].encode() if fmt == "text" else row[0](tree)
        if transfer in ("utf16", "gb18030"):
            body = body.decode().encode("utf-16" if transfer == "utf16" else "gb18030")
            kind = kind.split(";")[0] + f"; charset={'utf-16' if transfer == 'utf16' else 'gb18030'}"
        shape = {"fmt": fmt, "leaf": [item["path"].split(" > ")[0] for item in label["items"]], "wrap": {}, **(shape or {})}
        if fmt == "pb":
            shape["schema"] = containers.pb_schema(tree)
        if transfer in ("utf16", "gb18030"):
            shape["charset"] = "utf-16" if transfer == "utf16" else "gb18030"
        if grpc:
            kind = "application/grpc+proto"
            body = containers.grpc_frame(containers.as_pb({1: 7, 2: "hello"})) + containers.grpc_frame(body, grpc == "grpc_gzip")
            shape["grpc"] = grpc
        if transfer.startswith("sniff_"):
            chain = [transfer.removeprefix("sniff_")]
            if chain[0] in ("xor",):
                chain.append("base64")
            body = self.keyring.wrap(body, chain)
            shape = {"fmt": "raw", "leaf": ["$"], "wrap": {"$": {"chain": chain, **shape}}}
            kind = "application/octet-stream" if chain[-1] not in ("base64",) else "text/plain"
            for item in label["items"]:
                item["path"] = "$ > " + item["path"]
                item["encoding"] = "+".join([*([] if item["encoding"] == "plain" else [item["encoding"]]), *chain])
        if transfer == "lie":
            kind = self.random.choice([other for other in ("text/plain", "application/octet-stream", "image/png", "application/json")
                                       if not kind.startswith(other)])
        label["shape"]["body"], label["ctype"] = shape, kind
        for coding in transfer.split("+"):
            if coding in ("gzip", "deflate", "deflate_raw", "br", "zstd"):
                body = {"gzip": lambda: gzip.compress(body, mtime=0), "deflate": lambda: zlib.compress(body),
                        "deflate_raw": lambda: raw_deflate(body), "br": lambda: brotli.compress(body),
                        "zstd": lambda: zstandard.ZstdCompressor().compress(body)}[coding]()
                label["ce"] = coding.removesuffix("_raw")
                request.headers.append(("Content-Encoding", label["ce"]))
            elif coding == "chunked":
                request.framing = {"type": "chunked", "chunks": [self.random.randrange(1, 90) for _ in range(6)]}
            elif coding == "h2":
                request.proto = "h2"
                request.framing = {"type": "h2", "chunks": [self.random.randrange(10, 200) for _ in range(6)]}
        if grpc:
            request.proto = "h2"
            request.framing = {"type": "h2", "chunks": [self.random.randrange(10, 200) for _ in range(6)]}
            request.headers += [("TE", "trailers"), *([("grpc-encoding", "gzip")] if grpc == "grpc_gzip" else [])]
        request.headers.append(("Content-Type", kind))
        if label["label"] == "leak" and not grpc and self.random.random() < 0.06:
            request.headers.append(self.random.choice((
                ("Content-MD5", base64.b64encode(hashlib.md5(body).digest()).decode()),
                ("Content-Digest", f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"))))
        request.body = body
        label["container"], label["transfer"] = grpc or fmt, transfer


class Leak(Writer):
    def __init__(self, planner, choice):
        super().__init__(planner)
        self.choice = choice

    def write(self, token):
        choice, label = self.choice, self.label("leak", container=self.choice.container, transfer=self.choice.transfer)
        request = self.request(token)
        wrap = {}
        if choice.wrap:
            inner, inner_paths = tree_of(self.random, [leaves_of(spelling) for spelling in choice.spellings], choice.wrap)
            data, chain = FORMATS[choice.wrap][0](inner), list(choice.chains[0])
            gives = self.keyring.gives(chain, "bytes" if choice.wrap in ("pb", "msgpack") else "text")
            if gives == "bytes" and not self.takes_bytes():
                chain.append(self.random.choice(("base64", "base64url", "hex")))
                gives = "text"
            document = data
            data = self.safe(self.keyring.wrap(data, chain), chain)
            wrap = {"chain": chain, "fmt": choice.wrap, "leaf": [path for group in inner_paths for path in group], "wrap": {},
                    "schema": containers.pb_schema(inner) if choice.wrap == "pb" else None}
            groups = [[("", data.decode() if gives == "text" else data)]]
            if choice.container in ("form", "json", "query") and self.random.random() < 0.3:
                self.sum = self.check_sum(label, data, document)
            units = [[(spelling, chain, path) for spelling, group in zip(choice.spellings, inner_paths) for path in group]]
        else:
            groups, units = [], []
            for spelling, chain in zip(choice.spellings, choice.chains):
                group, chain = self.coded(spelling, list(chain))
                groups.append(group)
                units.append([(spelling, chain, None)] * len(group))
        paths = getattr(self, "place_" + self.method())(request, label, groups)
        for group, unit in zip(paths, units):
            for index, (spelling, chain, inner_path) in enumerate(unit):
                outer = group[0] if choice.wrap else group[index]
                self.item(label, spelling, chain, outer, inner_path, choice.wrap)
        self.finish(request, label, wrap, paths)
        # what a body of no declared format holds has a layer of its own
        around = "$ > " if choice.transfer.startswith("sniff_") else ""
        for entry in label.get("sums", ()):
            entry["path"], entry["of"] = around + entry["path"], around + paths[0][0]
        return request, label

    sum = None

    def check_sum(self, label, data, document):
        """An unkeyed check sum of the blob beside it, as the collectors of browsers send one."""
        by, over = self.random.choice(("crc32", "md5")), self.random.choice(("blob", "document"))
        label["sums"] = [{"path": "$." + by, "by": by, "over": over}]
        whole = data if over == "blob" else document
        return by, f"{zlib.crc32(whole):08x}" if by == "crc32" else hashlib.md5(whole).hexdigest()

    def with_sum(self, tree):
        return {**tree, self.sum[0]: self.sum[1]} if self.sum else tree

    def takes_bytes(self):
        container = self.choice.container
        return container in ("pb", "msgpack", "cbor", "bplist", "multipart", "ws_bin", "grpc", "grpc_gzip")

    def coded(self, spelling, chain):
        """The leaves of a spelling after its layers, and the layers that it took."""
        group = leaves_of(spelling)
        if len(group) > 1 or not isinstance(group[0][1], (str, bytes)):
            return group, chain
        content = group[0][1]
        data = self.keyring.wrap(content if isinstance(content, bytes) else content.encode(), chain)
        if is_bytes(self.keyring, spelling, chain):
            if self.takes_bytes():
                return [(group[0][0], data)], chain
            chain.append(self.random.choice(("base64", "hex", "base64url")))
            data = self.keyring.wrap(data, chain[-1:])
        return [(group[0][0], self.safe(data, chain).decode())], chain

    def safe(self, data, chain):
        """Percent-encoded, which the chain is told, where a field's value or a line cannot hold the bytes as they are."""
        if self.choice.container == "csv" and b"\n" in data:
            chain.append("url")
            return self.keyring.wrap(data, ["url"])
        if self.choice.container not in ("header", "cookie") or all(33 <= octet < 127 and octet not in b';,"' for octet in data):
            return data
        chain.append("url")
        return self.keyring.wrap(data, ["url"])

    def method(self):
        container = self.choice.container
        if container.startswith("ws_"):
            return "socket"
        return container if container in ("path", "query", "header", "cookie", "ua", "referer", "authbasic", "jwt", "csv", "text") else "body"

    LOCATIONS = {"path": "path", "query": "query", "header": "header", "cookie": "cookie", "ua": "header", "referer": "header",
                 "authbasic": "header", "jwt": "header"}

    def item(self, label, spelling, chain, outer, inner_path, wrap):
        container = self.choice.container
        names = [*([spelling.form] if spelling.form != "plain" else []), *([wrap] if wrap else []), *chain]
        if container == "authbasic":
            names.append("base64")
        if container == "jwt":
            names.append("base64url")
        label["items"].append({
            "kind": "wifi_mac" if spelling.kind == "bt_mac" else spelling.kind, "value": spelling.value,
            "encoding": "+".join(names) or "plain", "location": "ws" if container.startswith("ws_") else self.LOCATIONS.get(container, "body"),
            "path": f"{outer} > {inner_path}" if inner_path else outer, "known": True, "hard": False, "wire": "",
            "container": "+".join(part for part in (container, self.choice.transfer) if part), "form": spelling.form, "chain": chain,
            "is_inner": bool(inner_path)})
        label["ignore"] += [{"kind": kind} for kind in spelling.also]

    def finish(self, request, label, wrap, paths):
        if self.choice.container in BODY_SHAPES:
            fmt, grpc = BODY_SHAPES[self.choice.container]
            shape = {"wrap": {paths[0][0]: wrap}} if wrap else {}
            shape |= {name: self.tree[name] for name in ("mark", "around") if fmt in ("csv", "text") and name in self.tree}
            self.put_body(request, label, fmt, self.tree, self.choice.transfer, grpc, shape)
        elif wrap and "ws" in label["shape"]:
            label["shape"]["ws"][1]["wrap"] = {paths[0][0]: wrap}
        elif wrap:
            label["shape"].setdefault("field", {})["wrap"] = {paths[0][0]: wrap}

    # the places

    def place_body(self, request, label, groups):
        self.tree, paths = tree_of(self.random, groups, BODY_SHAPES[self.choice.container][0])
        self.tree = self.with_sum(self.tree)
        return paths

    def place_csv(self, request, label, groups):
        flat = [containers.scalar(content) for group in groups for _, content in group]
        free = [mark for mark in containers.SEPARATORS if not any(mark in text or "\n" in text for text in flat)]
        rows = [["1", *map(containers.scalar, list(self.noise.fields().values())[:3])], ["2", "sync", *flat, "ok"], ["3", "end", "0"]]
        free = [mark for mark in free if not any(mark in cell for row in rows for cell in row)] or ["\x01"]
        self.tree = {"rows": rows, "mark": self.random.choice(free)}
        paths, column = [], 2
        for group in groups:
            paths.append([f"$.rows[1][{column + index}]" for index in range(len(group))])
            column += len(group)
        return paths

    def place_text(self, request, label, groups):
        text = containers.scalar(groups[0][0][1])
        before, after = self.random.choice((("state: ", "\nend of report\n"), ("sent ", " at dusk"), ("[info] v=", " ok\n")))
        self.tree = {"text": before + text + after, "around": [before, after]}
        return [["$.text"]]

    def place_query(self, request, label, groups):
        tree, paths = tree_of(self.random, groups, "form")
        tree = self.with_sum(tree)
        request.method, request.target = "GET", request.target + "?" + containers.as_form(tree).decode()
        label["shape"]["query"] = {"leaf": [path for group in paths for path in group], "wrap": {}}
        return [["query:" + path for path in group] for group in paths]

    def place_path(self, request, label, groups):
        request.method = "GET"
        request.target += "/" + urllib.parse.quote(containers.scalar(groups[0][0][1]), safe="") + "/done"
        return [[f"path:{len(request.target.split('/')) - 2}"]]

    def place_header(self, request, label, groups):
        request.method = "GET"
        names = self.random.sample(("X-Device", "X-Uid", "X-Meta", "X-Client-Data", "X-K9", "X-Tag"), 4)
        paths = []
        for group in groups:
            here = []
            for _, content in group:
                name = names.pop()
                request.headers.append((name, containers.scalar(content)))
                here.append(f"header:{name.lower()}")
            paths.append(here)
        return paths

    def place_cookie(self, request, label, groups):
        request.method = "GET"
        pairs, paths = [("sess", self.noise.session()[:8]), ("theme", "dark")], []
        for group in groups:
            here = []
            for key, content in group:
                name = self.noise.key({name for name, _ in pairs})
                pairs.append((name, containers.scalar(content)))
                here.append(f"cookie:{name}")
            paths.append(here)
        request.headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in pairs)))
        return paths

    def place_ua(self, request, label, groups):
        request.method, request.agent = "GET", f"QuayBrowser/6.2 (Linux; {groups[0][0][1]}; build 77)"
        return [["header:user-agent"]]

    def place_referer(self, request, label, groups):
        request.method = "GET"
        tree, paths = tree_of(self.random, groups, "form")
        request.headers.append(("Referer", f"https://m.quaynet.example/p?{containers.as_form(tree).decode()}"))
        label["shape"]["referer"] = {"leaf": [path for group in paths for path in group], "wrap": {}}
        return [["header:referer:" + path for path in group] for group in paths]

    def place_authbasic(self, request, label, groups):
        request.method = "GET"
        request.headers.append(("Authorization", "Basic " + base64.b64encode(f"{groups[0][0][1]}:drift".encode()).decode()))
        return [["header:authorization"]]

    def place_jwt(self, request, label, groups):
        request.method = "GET"
        tree, paths = tree_of(self.random, groups, "json")
        token = self.keyring.wrap(containers.as_json({"iss": "quaynet", **tree}), ["jwt"]).decode()
        request.headers.append(("Authorization", f"Bearer {token}"))
        label["shape"]["jwt"] = {"leaf": [path for group in paths for path in group]}
        return [["header:authorization > " + path for path in group] for group in paths]

    def place_socket(self, request, label, groups):
        container = self.choice.container
        fmt = "msgpack" if container == "ws_bin" else "json"
        tree, paths = tree_of(self.random, groups, fmt)
        request.method, request.proto = "GET", "ws"
        messages, shapes = [], []
        for index, part in enumerate(({"op": "login"}, tree, {"op": "hb", "t": 1780000000123})):
            data = FORMATS[fmt][0](part)
            data = base64.b64encode(data) if container == "ws_b64" else data
            cut = [self.random.randrange(1, 24) for _ in range(5)] if container == "ws_frag" else []
            messages.append({"op": 2 if fmt == "msgpack" else 1, "data_b64": base64.b64encode(data).decode(), "frag": cut})
            shapes.append({"fmt": fmt, "leaf": [path for group in paths for path in group] if index == 1 else [], "schema": None,
                           "b64": container == "ws_b64"})
        request.ws = {"msgs": messages, "deflate": container == "ws_deflate"}
        label["shape"]["ws"] = shapes
        return paths


BODY_SHAPES = {fmt: (fmt, None) for fmt in FORMATS} | {"grpc": ("pb", "grpc"), "grpc_gzip": ("pb", "grpc_gzip")}
