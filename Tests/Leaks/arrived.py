"""Reads a whole request again: path, query, fields, cookies, body, messages, each leaf under the truth's path."""

import gzip
import urllib.parse
import zlib

import brotli
import zstandard

from opened import Broken, Opened, open_document, open_form, open_inner, open_json


def decoded(body, coding):
    """A body without its Content-Encoding."""
    try:
        if coding == "gzip":
            return gzip.decompress(body)
        if coding == "deflate":
            return zlib.decompress(body) if body[:1] == b"\x78" else zlib.decompress(body, -15)
        if coding == "br":
            return brotli.decompress(body)
        if coding == "zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    except (OSError, EOFError, zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise Broken(f"{coding}: {error}") from None
    return body


def open_head(target, fields, shape, keyring, opened):
    """Path, query, fields and cookies."""
    path, mark, query = target.partition("?")
    for index, part in enumerate(path.split("/")):
        opened.add(f"path:{index}", "segment", urllib.parse.unquote_to_bytes(part), part.encode())
    opened.skeleton += [path.count("/"), mark]
    if mark:
        found = open_form(query)
        open_inner(found, shape.get("query", {}), keyring)
        wraps = shape.get("field", {}).get("wrap", {})
        named = {name.removeprefix("query:"): inner for name, inner in wraps.items() if name.startswith("query:")}
        open_inner(found, {"wrap": named}, keyring)
        opened.skeleton += found.skeleton
        opened.blobs |= found.blobs
        opened.leaves |= {f"query:{name}": leaf for name, leaf in found.leaves.items()}
    for name, value in fields:
        name = name.lower()
        opened.skeleton.append(name)
        if name == "cookie":
            for pair in value.split("; "):
                key, _, content = pair.partition("=")
                opened.add(f"cookie:{key}", "text", content.encode("latin-1"))
                opened.skeleton.append(key)
        elif name == "authorization" and value.startswith("Bearer ") and value.count(".") == 2 and "jwt" in shape:
            part = open_json(keyring.unwrap(value[7:].encode(), ["jwt"]).decode())
            opened.skeleton += part.skeleton
            opened.leaves |= {f"header:authorization > {key}": leaf for key, leaf in part.leaves.items()}
        elif name == "referer" and "referer" in shape:
            page, _, query = value.partition("?")
            part = open_form(query)
            wraps = shape.get("field", {}).get("wrap", {})
            open_inner(part, {"wrap": {key.removeprefix("header:referer:"): inner for key, inner in wraps.items() if ":$" in key}}, keyring)
            opened.skeleton += [page, *part.skeleton]
            opened.leaves |= {f"header:referer:{key}": leaf for key, leaf in part.leaves.items()}
        else:
            opened.add(f"header:{name}", "text", value.encode("latin-1"))
    wraps = {key: inner for key, inner in shape.get("field", {}).get("wrap", {}).items()
             if not key.startswith(("query:", "header:referer:"))}
    open_inner(opened, {"wrap": wraps}, keyring)


def open_request(target, fields, body, messages, truth, keyring):
    """Everything of one request: leaves by the truth's paths."""
    shape, found = truth["shape"], Opened()
    try:
        open_head(target, fields, shape, keyring, found)
        if "body" in shape and "ws" not in shape:
            part = open_document(decoded(body, truth["ce"]), shape["body"], keyring, truth["ctype"])
            found.leaves |= part.leaves
            found.skeleton += part.skeleton
            found.blobs |= part.blobs
        for index, (message, one) in enumerate(zip(messages, shape.get("ws", []))):
            data = keyring.unwrap(message, ["base64"]) if one.get("b64") else message
            # the truth names a message's leaves without saying which message: where it has some, they have no prefix
            part = open_document(data, {"wrap": {}, **one}, keyring)
            named = bool(one["leaf"])
            found.leaves |= {(path if named else f"#{index}{path}"): leaf for path, leaf in part.leaves.items()}
            found.skeleton += part.skeleton
    except (ValueError, UnicodeDecodeError) as error:
        raise Broken(f"{type(error).__name__}: {error}") from None
    return found
