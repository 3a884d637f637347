"""A phone's identifiers, the forms in which tests send them, and the servers that they go to."""

import base64
import hashlib
import urllib.parse

import pki
from origins import Origin

WATCHED, OUTSIDE = "watched.example", "outside.example"
HOSTS = {WATCHED: "127.66.0.1", OUTSIDE: "127.0.0.1"}

IMEI, IMSI, OWN, CONTACT = "490154203237518", "466920123456789", "+886912345678", "+886955555501"
CONTACT_NAME, CARRIER = "Tide Waiter QX7", "Far Shore Mobile"


def cut_digest(value):
    """H(x) of the 2014 client: the first 16 characters of URL-safe base64 of SHA-1."""
    return base64.urlsafe_b64encode(hashlib.sha1(value.encode()).digest()).decode()[:16]


# Every spelling in which a test may have sent a value of the profile.
SPELLINGS = sorted({
    spelling for value in (IMEI, IMSI, OWN, OWN[1:], "0912345678", CONTACT, CONTACT[1:], "0955555501", CONTACT_NAME, CARRIER)
    for spelling in (value, cut_digest(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value),
                     hashlib.md5(value.encode()).hexdigest(), hashlib.sha1(value.encode()).hexdigest(),
                     hashlib.sha256(value.encode()).hexdigest(), value.encode().hex(),
                     base64.b64encode(value.encode()).decode().rstrip("="))})


def spellings_in(data):
    text = data.decode("latin-1")
    return [spelling for spelling in SPELLINGS if spelling in text]


def both_servers(test):
    leaf = pki.shared().leaf(WATCHED, OUTSIDE)
    return (test.enterContext(Origin(leaf=leaf, address="127.66.0.1")), test.enterContext(Origin(leaf=leaf)))


def luhn(digits):
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + index % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
