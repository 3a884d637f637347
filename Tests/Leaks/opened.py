"""Reads each container again, strictly and without our product: its leaves by path, and its skeleton.

The skeleton is all that is not a leaf's value: what no redaction may change.
"""

import dataclasses
import email.parser
import gzip
import json
import plistlib
import re
import struct
import urllib.parse
import zlib

import cbor2
import msgpack
from xml.etree import ElementTree


class Broken(Exception):
    """A container that does not parse."""


@dataclasses.dataclass
class Opened:
    """Leaves by path, each (type, value as bytes, as it was written); and the rest."""

    leaves: dict = dataclasses.field(default_factory=dict)
    skeleton: list = dataclasses.field(default_factory=list)
    # leaves that hold a document: as it stands there, and opened
    blobs: dict = dataclasses.field(default_factory=dict)

    def add(self, path, kind, value, raw=None):
        self.leaves[path] = (kind, value, value if raw is None else raw)


TOKEN = re.compile(r'\s*(?:([{}\[\],:])|("(?:[^"\\\x00-\x1f]|\\.)*")|(-?\d[\d.eE+-]*|true|false|null))')


def open_json(text, prefix="$"):
    found, position = Opened(), 0
    json.loads(text)  # strictness is the library's; below only finds the places

    def token():
        nonlocal position
        match = TOKEN.match(text, position)
        if not match:
            raise Broken(f"JSON at {position}")
        found.skeleton.append(text[position:match.start(match.lastindex)])
        position = match.end()
        return match

    def value(path):
        match = token()
        mark, string, literal = match.groups()
        if string is not None or literal is not None:
            kind = "string" if string is not None else "number" if literal[0] in "-0123456789" else "word"
            found.skeleton.append(kind)
            found.add(path, kind, str(json.loads(string)).encode("utf-8", "surrogatepass") if string is not None else literal.encode(),
                      match.group(match.lastindex).encode("utf-8", "surrogatepass"))
            return
        found.skeleton.append(mark)
        index = 0
        while True:
            closing = TOKEN.match(text, position)
            if closing and closing.group(1) in ("}", "]"):
                found.skeleton.append(token().group(1))
                return
            if mark == "{":
                key = token().group(2)
                found.skeleton += [key, token().group(1)]
                value(f"{path}.{json.loads(key)}")
            else:
                value(f"{path}[{index}]")
            index += 1
            following = TOKEN.match(text, position)
            if following and following.group(1) == ",":
                found.skeleton.append(token().group(1))

    value(prefix)
    found.skeleton.append(text[position:])
    return found


def open_ndjson(text):
    found = Opened()
    for index, line in enumerate(text.split("\n")):
        if line.strip():
            part = open_json(line, f"$.lines[{index}]")
            found.leaves |= part.leaves
            found.skeleton.append(part.skeleton)
        else:
            found.skeleton.append(line)
    return found


def open_form(text):
    found = Opened()
    for index, pair in enumerate(text.split("&")):
        key, equals, value = pair.partition("=")
        found.skeleton += [key, equals]
        path = f"$.{urllib.parse.unquote_plus(key)}"
        if path in found.leaves:
            path = f"{path}[{index}]"
        found.add(path, "text", urllib.parse.unquote_to_bytes(value.replace("+", " ")), value.encode())
    return found


def open_multipart(data, content_type):
    boundary = email.parser.HeaderParser().parsestr(f"Content-Type: {content_type}\n\n").get_boundary()
    if not boundary:
        raise Broken("multipart without a boundary")
    mark = b"--" + boundary.encode()
    pieces = data.split(mark)
    if pieces[0] or not pieces[-1].startswith(b"--"):
        raise Broken("multipart delimiters")
    found = Opened(skeleton=[pieces[-1]])
    for piece in pieces[1:-1]:
        head, blank, body = piece.partition(b"\r\n\r\n")
        if not blank or not body.endswith(b"\r\n"):
            raise Broken("a part's head")
        name = re.search(rb'name="([^"]*)"', head)
        found.skeleton.append(head)
        found.add(f"$.{name.group(1).decode()}", "part", body[:-2])
    return found


def open_xml(text):
    root = ElementTree.fromstring(text)
    found = Opened(skeleton=[re.sub(r">[^<]+<", "><", re.sub(r'="[^"]*"|=\'[^\']*\'', "=", text.partition("?>")[2]))])

    def walk(element, path):
        for name, value in element.attrib.items():
            found.add(f"{path}.@{name}", "attribute", value.encode())
        names = [child.tag for child in element]
        if not names:
            found.add(path, "text", (element.text or "").encode())
        for index, child in enumerate(element):
            several = names.count(child.tag) > 1
            walk(child, f"{path}.{child.tag}" + (f"[{names[:index].count(child.tag)}]" if several else ""))

    walk(root, "$")
    return found


def open_tree(tree):
    """Leaves of what a library has read; types and order are the skeleton."""
    found = Opened()

    def walk(node, path):
        if isinstance(node, dict):
            found.skeleton += ["{", *map(repr, node), "}"]
            for key, value in node.items():
                walk(value, f"{path}.{key}")
        elif isinstance(node, (list, tuple)):
            found.skeleton += ["[", len(node), "]"]
            for index, value in enumerate(node):
                walk(value, f"{path}[{index}]")
        else:
            found.skeleton.append(type(node).__name__)
            found.add(path, type(node).__name__, node if isinstance(node, bytes) else str(node).encode())

    walk(tree, "$")
    return found


def open_plist(data):
    found = open_tree(plistlib.loads(data))
    if not data.startswith(b"bplist00"):
        found.skeleton.append(re.sub(rb"<(string|integer|real|data)>[^<]*<", rb"<\1><", data))
    return found


def open_pb(data, schema):
    found, counts = Opened(), {}

    def number(position):
        result = shift = 0
        while True:
            if position >= len(data_now[-1]) or shift > 63:
                raise Broken("varint")
            octet = data_now[-1][position]
            result |= (octet & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if octet < 0x80:
                return result, position

    data_now = []

    def message(part, schema, path):
        data_now.append(part)
        position, fields = 0, []
        while position < len(part):
            tag, position = number(position)
            field, wire = str(tag >> 3), tag & 7
            if wire == 0:
                value, position = number(position)
            elif wire == 1:
                value, position = part[position:position + 8], position + 8
            elif wire == 5:
                value, position = part[position:position + 4], position + 4
            elif wire == 2:
                size, position = number(position)
                value, position = part[position:position + size], position + size
                if len(value) != size:
                    raise Broken("a length that runs past its message")
            else:
                raise Broken(f"wire type {wire}")
            if position > len(part):
                raise Broken("a field that runs past its message")
            fields.append((field, wire, value))
        data_now.pop()
        names = [field for field, _, _ in fields]
        for index, (field, wire, value) in enumerate(fields):
            here = f"{path}.{field}" + (f"[{names[:index].count(field)}]" if names.count(field) > 1 else "")
            inner = (schema or {}).get(field)
            found.skeleton.append((here, wire))
            if isinstance(inner, dict):
                message(value, inner, here)
            elif wire == 0:
                found.add(here, "varint", str(value).encode())
            elif wire == 1:
                found.add(here, "double", repr(struct.unpack("<d", value)[0]).encode())
            else:
                found.add(here, "bytes", bytes(value))

    message(data, schema, "$")
    return found


def open_grpc(data, schema):
    messages, position = [], 0
    while position < len(data):
        if len(data) - position < 5:
            raise Broken("a gRPC prefix")
        flag, size = struct.unpack_from(">BI", data, position)
        message = data[position + 5:position + 5 + size]
        if len(message) != size or flag > 1:
            raise Broken("a gRPC length")
        messages.append((flag, gzip.decompress(message) if flag else message))
        position += 5 + size
    found = open_pb(messages[-1][1], schema)
    found.skeleton.append([flag for flag, _ in messages])
    for index, (_, message) in enumerate(messages[:-1]):
        found.add(f"$#{index}", "message", message)
    return found


def open_log(text, mark):
    found = Opened(skeleton=[mark])
    for row, line in enumerate(text.split("\n")):
        cells = line.split(mark)
        found.skeleton.append(len(cells))
        for column, cell in enumerate(cells):
            found.add(f"$.rows[{row}][{column}]", "cell", cell.encode())
    return found


def open_prose(text, before, after):
    if not (text.startswith(before) and text.endswith(after)):
        raise Broken("the text around the value")
    found = Opened(skeleton=[before, after])
    found.add("$.text", "text", text[len(before):len(text) - len(after)].encode())
    return found


def open_document(data, shape, keyring, content_type=None):
    """A document of the truth's shape, and the documents in its leaves."""
    fmt = shape["fmt"]
    charset = shape.get("charset", "utf-8")
    try:
        if shape.get("grpc"):
            found = open_grpc(data, shape.get("schema"))
        elif fmt in ("json", "json_ascii"):
            found = open_json(data.decode(charset))
        elif fmt == "ndjson":
            found = open_ndjson(data.decode())
        elif fmt == "form":
            found = open_form(data.decode(charset))
        elif fmt == "multipart":
            found = open_multipart(data, content_type)
        elif fmt in ("xml", "xml_entities"):
            found = open_xml(data.decode())
        elif fmt in ("plist", "bplist"):
            found = open_plist(data)
        elif fmt == "pb":
            found = open_pb(data, shape.get("schema"))
        elif fmt == "msgpack":
            found = open_tree(msgpack.unpackb(data, strict_map_key=False))
        elif fmt == "cbor":
            found = open_tree(cbor2.loads(data))
        elif fmt == "csv" and shape.get("mark"):
            found = open_log(data.decode(charset), shape["mark"])
        elif fmt == "text":
            found = open_prose(data.decode(charset), *shape.get("around", ("", "")))
        else:
            found = Opened()
            found.add("$", "raw", data)
    except (ValueError, KeyError, IndexError, ElementTree.ParseError, plistlib.InvalidFileException, cbor2.CBORDecodeError, OSError,
            EOFError, zlib.error, msgpack.UnpackException) as error:
        raise Broken(f"{fmt}: {type(error).__name__}: {error}") from None
    open_inner(found, shape, keyring)
    return found


def open_inner(found, shape, keyring, prefix=""):
    """The documents that the truth says are in leaves, in place of these."""
    for path, inner in (shape.get("wrap") or {}).items():
        if prefix + path not in found.leaves:
            raise Broken(f"no leaf {prefix + path}")
        kind, value, _ = found.leaves.pop(prefix + path)
        try:
            data = keyring.unwrap(value, inner["chain"])
        except Exception as error:
            raise Broken(f"{'+'.join(inner['chain'])}: {type(error).__name__}: {error}") from None
        found.blobs[prefix + path] = (value, data)
        part = open_document(data, inner, keyring)
        found.skeleton += [kind, part.skeleton]
        for name, leaf in part.leaves.items():
            found.leaves[f"{prefix}{path} > {name}"] = leaf
        for name, blob in part.blobs.items():
            found.blobs[f"{prefix}{path} > {name}"] = blob
