"""The containers: a tree of leaves written as the bytes of one, by libraries that are not ours.

A tree is a dict, a list, str, bytes, int or float. Paths are those of truth.json: `$.d.ids[0].v`; in protobuf, numbers.
"""

import gzip
import json
import plistlib
import struct
import urllib.parse
from xml.sax import saxutils

import cbor2
import msgpack

TEXT, BINARY = "text", "binary"
BOUNDARY = "----pier7MA4kTrZu0gWq"
SEPARATORS = ("|", "\t", "\x01", ",", ";")


def scalar(value):
    """A leaf as the text of a form or a log."""
    return "" if value is None else repr(value) if isinstance(value, float) else value if isinstance(value, str) else str(value)


def as_json(tree):
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def as_json_ascii(tree):
    return json.dumps(tree, indent=2).encode()


def as_ndjson(tree):
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in tree["lines"])


def as_form(tree):
    return "&".join(f"{key}={urllib.parse.quote_plus(scalar(value))}" for key, value in tree.items()).encode()


def as_multipart(tree):
    parts = []
    for key, value in tree.items():
        data = value if isinstance(value, bytes) else scalar(value).encode()
        more = f'; filename="{key}.bin"\r\nContent-Type: application/octet-stream' if isinstance(value, bytes) else ""
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"{more}\r\n\r\n'.encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _xml(name, value, is_escaped_whole):
    if isinstance(value, list):
        return "".join(_xml(name, item, is_escaped_whole) for item in value)
    if not isinstance(value, dict):
        text = scalar(value)
        if is_escaped_whole:
            return f"<{name}>{''.join(f'&#x{ord(letter):X};' for letter in text)}</{name}>"
        return f"<{name}>{saxutils.escape(text)}</{name}>"
    attributes = "".join(f" {key[1:]}={saxutils.quoteattr(scalar(item))}" for key, item in value.items() if key.startswith("@"))
    inner = "".join(_xml(key, item, is_escaped_whole) for key, item in value.items() if not key.startswith("@"))
    return f"<{name}{attributes}>{inner}</{name}>"


def as_xml(tree):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + _xml("r", tree, False)).encode()


def as_xml_entities(tree):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + _xml("r", tree, True)).encode()


def as_plist(tree):
    return plistlib.dumps(tree, fmt=plistlib.FMT_XML, sort_keys=False)


def as_binary_plist(tree):
    return plistlib.dumps(tree, fmt=plistlib.FMT_BINARY, sort_keys=False)


def varint(number):
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def as_pb(tree):
    out = bytearray()
    for field, value in tree.items():
        for item in value if isinstance(value, list) else [value]:
            tag = int(field) << 3
            if isinstance(item, float):
                out += varint(tag | 1) + struct.pack("<d", item)
            elif isinstance(item, int):
                out += varint(tag) + varint(item)
            else:
                data = as_pb(item) if isinstance(item, dict) else item.encode() if isinstance(item, str) else item
                out += varint(tag | 2) + varint(len(data)) + data
    return bytes(out)


def pb_schema(tree):
    """What each field is: s text or bytes, v varint, d double, a dict a message."""
    schema = {}
    for field, value in tree.items():
        item = value[0] if isinstance(value, list) else value
        schema[str(field)] = pb_schema(item) if isinstance(item, dict) else "d" if isinstance(item, float) else "v" if isinstance(item, int) else "s"
    return schema


def grpc_frame(message, is_compressed=False):
    data = gzip.compress(message, mtime=0) if is_compressed else message
    return struct.pack(">BI", is_compressed, len(data)) + data


def as_msgpack(tree):
    return msgpack.packb(tree, use_bin_type=True)


def as_cbor(tree):
    return cbor2.dumps(tree)


def as_log(tree, mark):
    return "\n".join(mark.join(scalar(item) for item in row) for row in tree["rows"]).encode()


# format: (writer, whether a leaf may be bytes, Content-Type)
FORMATS = {
    "json": (as_json, TEXT, "application/json; charset=utf-8"),
    "json_ascii": (as_json_ascii, TEXT, "application/json"),
    "ndjson": (as_ndjson, TEXT, "application/x-ndjson"),
    "form": (as_form, TEXT, "application/x-www-form-urlencoded"),
    "multipart": (as_multipart, BINARY, f"multipart/form-data; boundary={BOUNDARY}"),
    "xml": (as_xml, TEXT, "text/xml; charset=utf-8"),
    "xml_entities": (as_xml_entities, TEXT, "application/xml"),
    "plist": (as_plist, TEXT, "text/x-xml-plist"),
    "bplist": (as_binary_plist, BINARY, "application/x-apple-binary-plist"),
    "pb": (as_pb, BINARY, "application/x-protobuf"),
    "msgpack": (as_msgpack, BINARY, "application/msgpack"),
    "cbor": (as_cbor, BINARY, "application/cbor"),
    "csv": (None, TEXT, "text/plain; charset=utf-8"),
    "text": (None, TEXT, "text/plain; charset=utf-8"),
}


class Noise:
    """What else an app says in a request: nothing in it is an identifier."""

    MODELS = ("T1 Pro", "Note 9S", "K20", "Mix Fold")
    LOCALES = ("en_US", "zh_TW", "de_DE", "ja_JP", "pt_BR")

    def __init__(self, random):
        self.random = random

    def session(self):
        import uuid
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def fields(self):
        chosen = [
            ("ts", 1780000000000 + self.random.randrange(10 ** 10)), ("model", self.random.choice(self.MODELS)),
            ("ver", ".".join(str(self.random.randrange(1, 40)) for _ in range(3))), ("lang", self.random.choice(self.LOCALES)),
            ("net", self.random.choice(("wifi", "4g", "5g"))), ("sid", self.session()), ("seq", self.random.randrange(1, 99999)),
            ("ab", self.random.choice(("A", "B", "control")))]
        return dict(self.random.sample(chosen, self.random.randrange(2, len(chosen))))

    def key(self, used):
        names = ("u", "dev", "id", "k1", "p3", "ext", "v", "uid", "x", "did", "meta1", "udid", "tag", "s_id")
        return self.random.choice([name for name in names if name not in used])


def tree_of(random, leaves, fmt):
    """A tree that holds `leaves`, each a list of (key hint, content), among noise; and their paths, leaf by leaf."""
    noise = Noise(random)
    paths, flat = [], fmt in ("form", "multipart")
    if fmt == "pb":
        return pb_tree(random, leaves)
    if fmt == "ndjson":
        lines = [{"ev": "boot", **noise.fields()}]
        for group in leaves:
            keys = hints(noise, group, {})
            if len(group) > 2 and len({key for key, _ in group}) == 1:
                here = [f"$.lines[{len(lines) + index}].{keys[index]}" for index in range(len(group))]
                lines += [{"ev": "seen", keys[index]: content} for index, (_, content) in enumerate(group)]
            else:
                here = [f"$.lines[{len(lines)}].{key}" for key in keys]
                lines.append({"ev": "sync", **{key: content for key, (_, content) in zip(keys, group)}})
            paths.append(here)
        lines.append({"ev": "end", "n": random.randrange(50)})
        return {"lines": lines}, paths
    tree = noise.fields()
    for group in leaves:
        is_list = len(group) > 2
        if is_list and not flat:
            name = random.choice([name for name in ("items", "pkgs", "list") if name not in tree] or ["more"])
            if fmt in ("xml", "xml_entities") or random.random() < 0.5:
                tree[name] = {"n": len(group), "p": [content for _, content in group]}
                paths.append([f"$.{name}.p[{index}]" for index in range(len(group))])
            else:
                tree[name] = [{"p": content, "f": index} for index, (_, content) in enumerate(group)]
                paths.append([f"$.{name}[{index}].p" for index in range(len(group))])
            continue
        holder, prefix = tree, "$"
        if not flat and random.random() < 0.6:
            name = random.choice([name for name in ("device", "d", "ctx", "info", "props", "body") if name not in tree] or ["zz"])
            holder, prefix = tree.setdefault(name, {}), f"$.{name}"
            if not fmt.startswith("xml") and random.random() < 0.3:
                holder["in"] = [{}]
                holder, prefix = holder["in"][0], f"{prefix}.in[0]"
        here = []
        for key, content in zip(hints(noise, group, holder), [content for _, content in group]):
            if fmt.startswith("xml") and isinstance(content, str) and holder is not tree and random.random() < 0.3:
                key = "@" + key
            holder[key] = content
            here.append(f"{prefix}.{key}")
        paths.append(here)
    return tree, paths


def hints(noise, group, used):
    """A key for each leaf of a group: its own hint where it has one that is free, else any."""
    keys = []
    for key, _ in group:
        name = key if key and key not in used and key not in keys else noise.key({*used, *keys})
        keys.append(name)
    return keys


def pb_tree(random, leaves):
    noise = Noise(random)
    tree, paths = {1: random.randrange(1, 9), 2: {1: "app.pier", 2: random.randrange(99)}}, []
    for group in leaves:
        field = len(tree) + 1
        if len(group) > 2:
            tree[field] = {1: [content for _, content in group]}
            paths.append([f"$.{field}.1[{index}]" for index in range(len(group))])
        elif random.random() < 0.5:
            tree[field] = {1: noise.random.choice(Noise.MODELS), 2: {number: content for number, (_, content) in enumerate(group, 1)}}
            paths.append([f"$.{field}.2.{number}" for number in range(1, len(group) + 1)])
        else:
            tree[field] = {number: content for number, (_, content) in enumerate(group, 2)}
            paths.append([f"$.{field}.{number}" for number in range(2, len(group) + 2)])
    tree[len(tree) + 1] = random.choice(("wifi", "4g"))
    return tree, paths
