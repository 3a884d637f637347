"""The forms of each kind of identifier, from the table in the public description: what a client writes for a value."""

import base64
import dataclasses
import hashlib
import math
import urllib.parse


@dataclasses.dataclass(frozen=True)
class Spelling:
    """One way to write one value."""

    kind: str
    form: str
    value: str
    # text, bytes, int, float, or a tuple of (key, content) for a value in several leaves
    content: object
    # kinds that a finding of the same bytes may as well be called
    also: tuple = ()

    @property
    def is_text(self):
        return isinstance(self.content, str)

    @property
    def is_digest(self):
        return self.form.startswith(("md5", "sha1", "sha256", "joined"))


def group(spelling):
    """What is covered as one: a kind's whole digests of one algorithm, its cut ones."""
    return f"{spelling.kind}:{common(spelling.form)}"


def common(form):
    if not form.startswith(("md5", "sha1", "sha256")):
        return form
    algorithm, *rest = form.split("_")
    cut = next((f" cut to {part}" for part in rest if part.isdigit()), "")
    return f"{algorithm}{cut}" if cut else algorithm + ("" if "upper" in rest or not rest else " in base64")


def tbcd(digits):
    padded = digits + "f" * (len(digits) % 2)
    return bytes(int(padded[index + 1], 16) << 4 | int(padded[index], 16) for index in range(0, len(padded), 2))


def digest(text, algorithm, style, cut):
    raw = hashlib.new(algorithm, text.encode()).digest()
    written = {"hex": raw.hex(), "upper": raw.hex().upper(), "b64": base64.b64encode(raw).decode(),
               "b64url": base64.urlsafe_b64encode(raw).decode().rstrip("=")}[style]
    name = "_".join([algorithm, *([style] if style != "hex" else []), *([str(cut)] if cut else [])])
    return name, written[:cut] if cut else written


DIGESTS = [(algorithm, style, cut) for algorithm in ("md5", "sha1", "sha256") for style in ("hex", "upper", "b64", "b64url")
           for cut in (None, None, 16, 32, 8) if not (style == "b64" and cut) and not (algorithm == "md5" and style == "b64url" and cut == 32)]


def digests(random, kind, value, spellings, count=6):
    # a cut to 8 characters is a coincidence in a long log: one in a kind is enough
    for algorithm, style, cut in random.sample(DIGESTS, count):
        name, written = digest(random.choice(spellings), algorithm, style, cut)
        yield Spelling(kind, name, value, written)
    yield Spelling(kind, "md5", value, digest(spellings[0], "md5", "hex", None)[1])
    yield Spelling(kind, "sha256", value, digest(spellings[0], "sha256", "hex", None)[1])


def grouped(random, number):
    """National and international, with the separators that people write."""
    national, code = number["national"], number["e164"][1:-len(number["national"].lstrip("0"))]
    rest = number["national"].lstrip("0")
    mark = random.choice("- .")
    head, middle, tail = national[:-6], national[-6:-3], national[-3:]
    return [f"{head}{mark}{middle}{mark}{tail}", f"({head}) {middle}-{tail}", f"+{code} {rest[:-6]} {rest[-6:-3]} {rest[-3:]}",
            f"+{code}-{rest[:3]}-{rest[3:]}"]


def phones(random, kind, number):
    e164, national = number["e164"], number["national"]
    spellings = [e164, e164[1:], "00" + e164[1:], national]
    yield Spelling(kind, "plain", e164, e164)
    yield Spelling(kind, "plain", e164, e164[1:])
    yield Spelling(kind, "plain", e164, "00" + e164[1:])
    yield Spelling(kind, "plain", e164, national)
    yield Spelling(kind, "int", e164, int(e164[1:]))
    for written in grouped(random, number):
        yield Spelling(kind, "separators", e164, written)
    yield Spelling(kind, "plain", e164, f"ring me on {e164} after six")
    yield Spelling(kind, "plain", e164, f"dialed:{national};dur=41")
    yield Spelling(kind, "bcd", e164, tbcd(e164[1:]))
    yield from digests(random, kind, e164, spellings)


def texts(random, kind, value):
    yield Spelling(kind, "plain", value, value)
    yield Spelling(kind, "plain", value, f"{random.choice(('note', 'msg', 'v'))}: {value}")
    yield Spelling(kind, "utf16be_hex", value, value.encode("utf-16-be").hex().upper())
    yield Spelling(kind, "utf16le", value, value.encode("utf-16-le"))
    for charset in ("gb18030", "big5"):
        try:
            if not value.isascii():
                yield Spelling(kind, charset, value, urllib.parse.quote_from_bytes(value.encode(charset), safe=""))
        except UnicodeEncodeError:
            pass


def macs(random, kind, value):
    bare = value.replace(":", "")
    yield Spelling(kind, "plain", value, value)
    yield Spelling(kind, "case", value, value.upper())
    yield Spelling(kind, "separators", value, value.replace(":", "-").upper())
    yield Spelling(kind, "separators", value, ".".join(bare[index:index + 4] for index in (0, 4, 8)))
    yield Spelling(kind, "separators", value, bare)
    yield Spelling(kind, "separators", value, bare.upper())
    yield Spelling(kind, "mac_raw", value, bytes.fromhex(bare))
    yield Spelling(kind, "md5", value, hashlib.md5(bare.upper().encode()).hexdigest())
    yield from digests(random, kind, value, [value, value.upper(), bare, bare.upper()], 4)


def hexadecimals(random, kind, value):
    bare = value.replace("-", "")
    yield Spelling(kind, "plain", value, value)
    # a serial number is a name: of it upper case alone is described, of the others either
    other = value.upper() if value != value.upper() else value.lower()
    if kind != "serial" or other == value.upper():
        yield Spelling(kind, "case", value, other)
    if "-" in value:
        yield Spelling(kind, "separators", value, bare)
        yield Spelling(kind, "separators", value, bare.upper())
    yield from digests(random, kind, value, [value, value.upper(), bare, *([value.lower()] if kind != "serial" else [])])


def geohash(latitude, longitude, length):
    low, high, bits = [-90.0, -180.0], [90.0, 180.0], []
    for index in range(length * 5):
        axis, wanted = (1, longitude) if index % 2 == 0 else (0, latitude)
        middle = (low[axis] + high[axis]) / 2
        bits.append(wanted >= middle)
        (low if wanted >= middle else high)[axis] = middle
    return "".join("0123456789bcdefghjkmnpqrstuvwxyz"[sum(bit << 4 - place for place, bit in enumerate(bits[at:at + 5]))]
                   for at in range(0, len(bits), 5))


def sexagesimal(latitude, longitude):
    def one(degrees, letters):
        letter, degrees = letters[degrees < 0], abs(degrees)
        minutes = degrees % 1 * 60
        return f"{int(degrees)}°{int(minutes)}'{minutes % 1 * 60:.1f}\"{letter}"
    return f"{one(latitude, 'NS')} {one(longitude, 'EW')}"


def gcj02(latitude, longitude):
    """The shifted datum of maps of China (the published approximation)."""
    x, y, pi = longitude - 105, latitude - 35, math.pi
    wave = (20 * math.sin(6 * x * pi) + 20 * math.sin(2 * x * pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + wave \
        + (20 * math.sin(y * pi) + 40 * math.sin(y / 3 * pi)) * 2 / 3 + (160 * math.sin(y / 12 * pi) + 320 * math.sin(y * pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + wave \
        + (20 * math.sin(x * pi) + 40 * math.sin(x / 3 * pi)) * 2 / 3 + (150 * math.sin(x / 12 * pi) + 300 * math.sin(x / 30 * pi)) * 2 / 3
    radians = latitude / 180 * pi
    magic = 1 - 0.00669342162296594323 * math.sin(radians) ** 2
    north = north * 180 / (6378245.0 * (1 - 0.00669342162296594323) / (magic * math.sqrt(magic)) * pi)
    east = east * 180 / (6378245.0 / math.sqrt(magic) * math.cos(radians) * pi)
    return latitude + north, longitude + east


def bd09(latitude, longitude):
    """The same once more, as Baidu's maps have it."""
    latitude, longitude = gcj02(latitude, longitude)
    turn = math.pi * 3000 / 180
    radius = math.hypot(longitude, latitude) + 0.00002 * math.sin(latitude * turn)
    angle = math.atan2(latitude, longitude) + 0.000003 * math.cos(longitude * turn)
    return radius * math.sin(angle) + 0.006, radius * math.cos(angle) + 0.0065


def positions(random, place):
    latitude, longitude = place["lat"], place["lon"]
    value = f"{latitude},{longitude}"
    jitter = random.uniform(-2e-4, 2e-4)
    near = (latitude + jitter, longitude - jitter)
    for places in (3, 5, 6, 7):
        yield Spelling("gps", "plain", value, f"{near[0]:.{places}f},{near[1]:.{places}f}")
    yield Spelling("gps", "plain", value, f"{near[1]:.6f},{near[0]:.6f}")
    yield Spelling("gps", "plain", value, f"POINT({near[1]:.5f} {near[0]:.5f})")
    yield Spelling("gps", "plain", value, (("lat", f"{near[0]:.6f}"), ("lng", f"{near[1]:.6f}")))
    yield Spelling("gps", "number", value, (("latitude", round(near[0], 6)), ("longitude", round(near[1], 6))))
    yield Spelling("gps", "number", value, (("lon", round(near[1], 4)), ("lat", round(near[0], 4))))
    yield Spelling("gps", "e6", value, (("lat", round(near[0] * 1e6)), ("lng", round(near[1] * 1e6))))
    yield Spelling("gps", "e7", value, (("latE7", round(near[0] * 1e7)), ("lonE7", round(near[1] * 1e7))))
    yield Spelling("gps", "geohash", value, geohash(*near, random.choice((7, 8, 9))))
    yield Spelling("gps", "dms", value, sexagesimal(*near))
    # the datum is shifted inside the rectangle that those maps take for China; elsewhere it is the common one
    if not (72.004 <= longitude <= 137.8347 and 0.8293 <= latitude <= 55.8271):
        return
    for name, shifted in (("gcj02", gcj02(latitude, longitude)), ("bd09", bd09(latitude, longitude))):
        yield Spelling("gps", name, value, f"{shifted[0]:.6f},{shifted[1]:.6f}")
        yield Spelling("gps", name, value, (("lat", round(shifted[0], 6)), ("lng", round(shifted[1], 6))))


def imeis(random, profile, value):
    yield Spelling("imei", "plain", value, value)
    yield Spelling("imei", "separators", value, f"{value[:2]}-{value[2:8]}-{value[8:14]}-{value[14]}")
    yield Spelling("imei", "plain", value, value[:14])
    yield Spelling("imei", "plain", value, value[:14] + "07")
    yield Spelling("imei", "int", value, int(value))
    yield Spelling("imei", "bcd", value, tbcd(value))
    yield Spelling("imei", "bcd", value, tbcd(value).hex())
    yield Spelling("imei", "md5", value, digest(value, "md5", "hex", None)[1])
    yield Spelling("imei", "sha1_b64url_16", value, digest(value, "sha1", "b64url", 16)[1])
    device = profile["device"]
    address = device["wifi_mac"]
    for mark in random.sample(("", "|", "_", "-", ",", ":", "#"), 3):
        parts = [value, device["android_id"], random.choice((address, address.upper(), address.replace(":", "")))]
        algorithm = random.choice(("md5", "md5", "sha1"))
        yield Spelling("imei", f"joined_{algorithm}", value, digest(mark.join(parts), algorithm, "hex", None)[1], ("android_id", "wifi_mac"))
    yield from digests(random, "imei", value, [value, value[:14]])


def all_spellings(random, profile):
    """Every kind in every form, for this profile."""
    device, sim, found = profile["device"], profile["sim"], []
    for value in device["imei"]:
        found += imeis(random, profile, value)
    found += hexadecimals(random, "meid", device["meid"])
    for kind in ("imsi", "iccid"):
        value = sim[kind]
        found += [Spelling(kind, "plain", value, value), Spelling(kind, "plain", value, f"{kind}={value}"),
                  Spelling(kind, "int", value, int(value)), Spelling(kind, "bcd", value, tbcd(value)),
                  *digests(random, kind, value, [value])]
    found += phones(random, "msisdn", sim["msisdn"])
    for contact in random.sample(profile["contacts"], 3):
        found += phones(random, "contact_phone", contact["phone"])
        found += texts(random, "contact_name", contact["name"])
    for message in profile["sms"]:
        found += texts(random, "sms_text", message["text"])
    found += texts(random, "clipboard", profile["clipboard"][0])
    for kind in ("android_id", "gaid", "oaid", "serial"):
        found += hexadecimals(random, kind, device[kind])
    for kind in ("wifi_mac", "bt_mac"):
        found += macs(random, kind if kind == "wifi_mac" else "bt_mac", device[kind])
    found += macs(random, "bssid", profile["wifi"]["bssid"])
    ssid, bssid = profile["wifi"]["ssid"], profile["wifi"]["bssid"]
    found += [Spelling("ssid", "plain", ssid, ssid), Spelling("ssid", "plain", ssid, f'"{ssid}"'),
              Spelling("ssid", "plain", ssid, f"{ssid},{bssid},-61;", ("bssid",))]
    found += positions(random, profile["location"])
    email, account = profile["accounts"]["email"][0], profile["accounts"]["mi_id"]
    found += [Spelling("email", "plain", email, email), Spelling("email", "case", email, email.upper()),
              *digests(random, "email", email, [email, email.upper()]),
              Spelling("account_id", "plain", account, account), Spelling("account_id", "int", account, int(account)),
              *digests(random, "account_id", account, [account])]
    for count in (3, 5, 8):
        apps = random.sample(profile["apps"], count)
        found.append(Spelling("app_list", "plain", apps[0], random.choice((",", ";", "|", "\n")).join(apps)))
        found.append(Spelling("app_list", "plain", apps[0], tuple(("pkg", name) for name in apps)))
    for url in profile["browsing"]:
        found += [Spelling("browsing_url", "plain", url, url), Spelling("browsing_url", "plain", url, f"visit {url} 12s")]
    found.append(Spelling("carrier", "plain", sim["carrier"], sim["carrier"]))
    return found
