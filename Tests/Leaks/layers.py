"""The layers that a value travels in: each one way and back. Nothing here knows of identifiers."""

import base64
import gzip
import hashlib
import html
import struct
import urllib.parse
import zlib

import brotli
import zstandard
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def raw_deflate(data):
    coder = zlib.compressobj(9, wbits=-15)
    return coder.compress(data) + coder.flush()


def padded(data):
    return data + b"=" * (-len(data) % 4)


def base32_padded(data):
    return data + b"=" * (-len(data) % 8)


class Block:
    """A block cipher with PKCS #7, in ECB, or in CBC with the vector in front of what it begins."""

    def __init__(self, one, size, is_chained=False):
        # `one` seals, or opens, one block
        self.one, self.size, self.is_chained = one, size, is_chained

    def blocks(self, data):
        if len(data) % self.size:
            raise ValueError("not whole blocks")
        return [data[start:start + self.size] for start in range(0, len(data), self.size)]

    def seal(self, data):
        count = self.size - len(data) % self.size
        # of the content, so that the same corpus comes of the same seed
        last = hashlib.sha256(data).digest()[:self.size] if self.is_chained else bytes(self.size)
        out = [last] if self.is_chained else []
        for block in self.blocks(data + bytes([count]) * count):
            last = self.one(bytes(x ^ y for x, y in zip(block, last)) if self.is_chained else block, True)
            out.append(last)
        return b"".join(out)

    def open(self, data):
        blocks = self.blocks(data)
        opened = [self.one(block, False) for block in blocks]
        if self.is_chained:
            opened = [bytes(x ^ y for x, y in zip(block, before)) for block, before in zip(opened[1:], blocks)]
        text = b"".join(opened)
        count = text[-1]
        if not 1 <= count <= self.size or text[-count:] != bytes([count]) * count:
            raise ValueError("the padding is wrong")
        return text[:-count]


def of_library(algorithm):
    cipher = Cipher(algorithm, modes.ECB())
    sealing, opening = cipher.encryptor(), cipher.decryptor()
    return lambda block, is_sealing: (sealing if is_sealing else opening).update(block)


def tea(key):
    """Wheeler and Needham's, 32 cycles, big-endian words."""
    words, delta, mask = struct.unpack(">4I", key), 0x9E3779B9, 0xFFFFFFFF

    def one(block, is_sealing):
        left, right = struct.unpack(">2I", block)
        total = 0 if is_sealing else delta * 32 & mask
        for _ in range(32):
            if is_sealing:
                total = total + delta & mask
                left = left + ((right << 4) + words[0] ^ right + total ^ (right >> 5) + words[1]) & mask
                right = right + ((left << 4) + words[2] ^ left + total ^ (left >> 5) + words[3]) & mask
            else:
                right = right - ((left << 4) + words[2] ^ left + total ^ (left >> 5) + words[3]) & mask
                left = left - ((right << 4) + words[0] ^ right + total ^ (right >> 5) + words[1]) & mask
                total = total - delta & mask
        return struct.pack(">2I", left, right)
    return one


CIPHERS = {
    "AES-128-ECB-PKCS7": ("aes_128_ecb", lambda key: Block(of_library(algorithms.AES(key)), 16)),
    "AES-256-CBC-PKCS7": ("aes_256_cbc", lambda key: Block(of_library(algorithms.AES(key)), 16, True)),
    # three times the same key is the single cipher
    "DES-ECB-PKCS7": ("des_ecb", lambda key: Block(of_library(TripleDES(key * 3)), 8)),
    "TEA-ECB-PKCS7": ("tea_ecb", lambda key: Block(tea(key), 8)),
}


def percent(data, safe=""):
    return urllib.parse.quote_from_bytes(data, safe=safe).encode()


def entities(text):
    """Every letter that is not ASCII, and each third that is, as a reference."""
    return "".join(f"&#x{ord(letter):x};" if ord(letter) > 126 else f"&#{ord(letter)};" if index % 3 == 0 else
                   html.escape(letter) for index, letter in enumerate(text))


def strict_base64(data):
    """Either alphabet, not both: of a text without the letters in which they differ nobody can say which it is."""
    if set(data) & set(b"-_") and set(data) & set(b"+/"):
        raise ValueError("two alphabets")
    return base64.b64decode(padded(data).translate(bytes.maketrans(b"-_", b"+/")), validate=True)


def jwt(data):
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in
                     (b'{"alg":"HS256","typ":"JWT"}', data, hashlib.sha256(data).digest()))


# name: (encode, decode, what it takes: "text" or "bytes", what it gives)
LAYERS = {
    "url": (percent, urllib.parse.unquote_to_bytes, "bytes", "text"),
    "url2": (lambda data: percent(percent(data)), lambda data: urllib.parse.unquote_to_bytes(urllib.parse.unquote_to_bytes(data)),
             "bytes", "text"),
    "base64": (base64.b64encode, strict_base64, "bytes", "text"),
    "base64_nopad": (lambda data: base64.b64encode(data).rstrip(b"="), strict_base64, "bytes", "text"),
    "base64url": (lambda data: base64.urlsafe_b64encode(data).rstrip(b"="), strict_base64, "bytes", "text"),
    "base32": (base64.b32encode, lambda data: base64.b32decode(base32_padded(data)), "bytes", "text"),
    "hex": (lambda data: data.hex().encode(), lambda data: bytes.fromhex(data.decode("ascii")), "bytes", "text"),
    "hex_upper": (lambda data: data.hex().upper().encode(), lambda data: bytes.fromhex(data.decode("ascii")), "bytes", "text"),
    "reversed": (lambda data: data.decode()[::-1].encode(), lambda data: data.decode()[::-1].encode(), "text", "text"),
    "entities": (lambda data: entities(data.decode()).encode(), lambda data: html.unescape(data.decode()).encode(), "text", "text"),
    "utf16be_hex": (lambda data: data.decode().encode("utf-16-be").hex().upper().encode(),
                    lambda data: bytes.fromhex(data.decode()).decode("utf-16-be").encode(), "text", "text"),
    "utf16le": (lambda data: data.decode().encode("utf-16-le"), lambda data: data.decode("utf-16-le").encode(), "text", "bytes"),
    "gb18030_url": (lambda data: percent(data.decode().encode("gb18030")),
                    lambda data: urllib.parse.unquote_to_bytes(data).decode("gb18030").encode(), "text", "text"),
    "big5_url": (lambda data: percent(data.decode().encode("big5")),
                 lambda data: urllib.parse.unquote_to_bytes(data).decode("big5").encode(), "text", "text"),
    "gzip": (lambda data: gzip.compress(data, mtime=0), gzip.decompress, "bytes", "bytes"),
    "zlib": (zlib.compress, zlib.decompress, "bytes", "bytes"),
    "deflate_raw": (raw_deflate, lambda data: zlib.decompress(data, -15), "bytes", "bytes"),
    "br": (brotli.compress, brotli.decompress, "bytes", "bytes"),
    "zstd": (lambda data: zstandard.ZstdCompressor().compress(data),
             lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data), "bytes", "bytes"),
    "jwt": (jwt, lambda data: strict_base64(data.split(b".")[1]), "bytes", "text"),
    "xor": (lambda data: bytes(octet ^ 0x5A for octet in data), lambda data: bytes(octet ^ 0x5A for octet in data), "bytes", "bytes"),
}
COMPRESSIONS = ("gzip", "zlib", "deflate_raw", "br", "zstd")
# Content-Encoding: the coding's name there
CODINGS = {"gzip": "gzip", "zlib": "deflate", "deflate_raw": "deflate", "br": "br", "zstd": "zstd"}


class Keyring:
    """The layers, with those that need the operator's keys."""

    def __init__(self, sdk_keys=()):
        self.layers = dict(LAYERS)
        for entry in sdk_keys:
            name, make = CIPHERS[entry["alg"]]
            block = make(bytes.fromhex(entry["key_hex"]))
            self.layers[name] = (block.seal, block.open, "bytes", "bytes")

    def wrap(self, data, chain):
        """`data` through the chain, innermost layer first."""
        for name in chain:
            data = self.layers[name][0](data)
        return data

    def unwrap(self, data, chain):
        """Back; raises if a layer cannot be opened."""
        for name in reversed(chain):
            data = self.layers[name][1](data)
        return data

    def gives(self, chain, start="text"):
        return self.layers[chain[-1]][3] if chain else start
