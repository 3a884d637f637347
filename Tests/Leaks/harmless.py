"""What is no leak: hard negatives, media, and bodies that nothing can read."""

import base64
import hashlib
import io
import lzma
import struct
import zipfile
import zlib

from containers import Noise
from people import digits, hexadecimal, luhn_digit, mac, with_luhn


def broken(value):
    """A value with one digit or letter that is not its own, and so no right check digit."""
    last = value[-1]
    other = str((int(last, 16) + 3) % 10) if last.isdigit() else "abcdef"["abcdef".index(last.lower()) - 1] if last.lower() in "abcdef" else "q"
    return value[:-1] + other


def negatives(random, profile):
    """Groups of fields that look like identifiers and are none; each a list of (key, content)."""
    device, sim, place = profile["device"], profile["sim"], profile["location"]
    noise, now = Noise(random), 1780000000 + random.randrange(10 ** 7)
    imei, account = device["imei"][0], profile["accounts"]["mi_id"]
    return [
        [("ts", now), ("ts_ms", now * 1000 + 417), ("t_us", now * 10 ** 6 + 170131), ("t_ns", now * 10 ** 9 + 170131007)],
        [("start", str(now * 10 ** 6 + 55)), ("order_id", with_luhn("20" + digits(random, 12)))],
        [("orderNo", with_luhn(digits(random, 14))), ("amount", random.randrange(100, 99999))],
        [("txn", int(with_luhn("40" + digits(random, 12)))), ("cart", digits(random, 12))],
        [("serial_no", "77" + imei + "12"), ("ref", "9" + account + "04")],
        [("blob", digits(random, 9) + sim["msisdn"]["national"] + digits(random, 6)), ("k", "1" + sim["imsi"] + "8")],
        [("trace", hexadecimal(random, 6) + device["android_id"] + hexadecimal(random, 5))],
        [("sid", noise.session()), ("trace_id", noise.session()), ("nonce", hexadecimal(random, 32))],
        [("etag", hashlib.md5(random.randbytes(9)).hexdigest()), ("integrity", hashlib.sha256(random.randbytes(9)).hexdigest())],
        [("asset", hashlib.sha1(random.randbytes(9)).hexdigest()[:16]), ("sum", base64.b64encode(hashlib.sha1(random.randbytes(9)).digest()).decode())],
        [("mac", "02:00:00:00:00:00"), ("imei", "000000000000000")],
        [("mac", "ff:ff:ff:ff:ff:ff"), ("imei", "123456789012345"), ("android_id", "0000000000000000")],
        [("bssid", "00:00:00:00:00:00"), ("gaid", "00000000-0000-0000-0000-000000000000")],
        [("lat", round(-place["lat"] / 2, 5)), ("lng", round(place["lon"] - 60, 5))],
        [("poi", f"{place['lat'] + 3:.5f},{place['lon'] - 4:.5f}"), ("zoom", 14)],
        [("tac", imei[:8]), ("mccmnc", sim["imsi"][:5]), ("mcc", sim["imsi"][:3])],
        [("version", "8.12.4.20145"), ("build", "QKQ1.190825.002"), ("sdk", "2026.11.23.1"), ("fw", f"V{digits(random, 2)}.0.4.0")],
        [("code", broken(imei)), ("h", broken(device["android_id"]))],
        [("v", broken(sim["iccid"])), ("w", broken(account))],
        [("dig", hashlib.md5(broken(imei).encode()).hexdigest()), ("b", base64.b64encode(broken(imei).encode()).decode())],
        [("hotline", "0800-080-123"), ("mail", "support@vendor.example")],
        [("contact_us", "service@pier-shop.example"), ("tel_support", "400-100-5678")],
        [("doc", "https://cdn.pier.example/js/app.4f2a91.js"), ("pkg", profile["apps"][0])],
        [("ip", "192.0.2.17"), ("dns", "198.51.100.53"), ("port", 8443), ("color", "#3fa9c2")],
        [("ssid_count", 14), ("net", "Nest"), ("op", "Unknown operator")],
        [("price", 25.04), ("ratio", 121.53), ("w", 1080), ("h", 2400)],
        [("ean", "4006381333931"), ("isbn", "9783161484100")],
        [("rand", str(random.randrange(10 ** 15, 10 ** 16))), ("seq", random.randrange(10 ** 9))],
    ]


def check_negatives(random, profile):
    """No negative holds a right IMEI under a name that says so."""
    for group in negatives(random, profile):
        for key, content in group:
            text = str(content)
            if key == "imei" and luhn_digit(text[:-1]) == text[-1] and len(set(text)) > 1:
                raise AssertionError((key, text))


def unknowns(random):
    """Identifiers of nobody's profile, under names that tell what they are: (kind, key, value)."""
    import people

    other = people.person(random)
    number = other["contacts"][0]["phone"]
    return random.choice([
        [("imei", "imei", other["device"]["imei"][0])],
        [("imsi", "imsi", other["sim"]["imsi"])],
        [("iccid", "iccid", other["sim"]["iccid"])],
        [("contact_phone", "peer_phone", number["e164"])],
        [("contact_phone", "callee_number", number["e164"])],
        [("bssid", "bssid", mac(random)), ("bssid", "bssid2", mac(random)), ("bssid", "ap_bssid", mac(random))],
        [("email", "user_email", f"{random.choice(('anna', 'kenji', 'tomas'))}.{hexadecimal(random, 4)}@mailbox.example")],
        [("gaid", "gaid", other["device"]["gaid"])],
    ])


def sealed(random, count):
    """AES-CBC under a key that nobody knows."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    text = (b'{"device":{"imei":"%s"},"events":[' % digits(random, 15).encode()).ljust(count, b"a")
    seal = Cipher(algorithms.AES(random.randbytes(16)), modes.CBC(random.randbytes(16))).encryptor()
    return seal.update(text[:count // 16 * 16]) + seal.finalize()


def no_magic(random, count):
    """Compressed by a coder that leaves no mark and that no browser has."""
    words = [random.randbytes(3).hex() for _ in range(count)]
    return lzma.compress(" ".join(words).encode(), format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 1}])[:count * 3]


def opaque(random):
    """A name and bytes that no decoder reads. 420 and up: below, random bytes do not show their entropy."""
    count = random.choice((448, 640, 1500, 4096, 9000))
    return random.choice((("random", random.randbytes(count)), ("encrypted", sealed(random, count)), ("no magic", no_magic(random, count))))


def jpeg(random, count):
    return (bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + bytes(range(1, 65))
            + bytes.fromhex("ffc0000b080040004001011100ffda0008010100003f00") + random.randbytes(count).replace(b"\xff", b"\xfe") + b"\xff\xd9")


def png(random, count):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + random.randbytes(64 * 3) for _ in range(max(1, count // 192)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, max(1, count // 192), 8, 2, 0, 0, 0)) \
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def mp4(random, count):
    return struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42") + struct.pack(">I4s", count + 8, b"mdat") + random.randbytes(count)


def archive(random, count):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as made:
        made.writestr(zipfile.ZipInfo("photo.raw"), random.randbytes(count))
    return file.getvalue()


def woff(random, count):
    return b"wOF2" + struct.pack(">IIHHIIHHIIIII", 0x00010000, count + 48, 4, 0, count, count, 1, 0, 0, 0, 0, 0, 0)[:44] + random.randbytes(count)


MEDIA = {"image/jpeg": jpeg, "image/png": png, "video/mp4": mp4, "application/zip": archive, "font/woff2": woff}

PROSE = ("The harbour clock had stopped at twenty past four, and nobody on the quay could say in which year. Ships came in on the "
         "spring tide with timber and left with salt. The pilot kept his accounts in pencil. ") * 6
