"""What can be wrong with a server's certificate, a host for each; and what looks odd and is right."""

import functools
import ipaddress
import threading

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

import forge
from forge import CLIENT, SERVER, authority, server

DOMAIN = "defect.example"
IDN = "xn--bcher-kva"  # bücher

# What a client of ours may be told of a kind of defect; the record has the words.
TIME = ({"certificate_expired"}, ("expired", "not yet valid"))
NAME = ({"certificate_unknown", "bad_certificate"}, ("mismatch", "name", "host"))
TRUST = ({"unknown_ca"}, ("issuer", "self-signed", "self signed", "unknown", "untrusted", "verify"))
FORM = ({"bad_certificate", "unknown_ca", "unsupported_certificate", "certificate_unknown", "insufficient_security"},
        ("certificate", "key", "signature", "constraint", "purpose", "extension", "path", "subtree", "digest", "ca "))


class Defects:
    """`bad` has for each host its chain, the alerts, and words of which the record has one; `good` its chain."""

    def __init__(self):
        self.root = authority("Forged root")
        self.middle = authority("Forged intermediate", self.root)
        self.rsa = authority("Forged RSA root", key="rsa2048", digest="sha1")  # its own signature proves nothing
        self.roots = [self.root, self.rsa]
        self.bad, self.good = {}, {}
        for fill in (self._times, self._names, self._trust, self._issuers, self._constraints, self._weakness, self._right):
            fill()

    @property
    def roots_pem(self):
        return "".join(root.pem for root in self.roots)

    def trusted(self, *arguments, **more):
        """A root that the proxy is told to trust, whatever is the matter with it."""
        root = authority(*arguments, **more)
        self.roots.append(root)
        return root

    def refuse(self, kind, label, certificate=None, host=None, **more):
        host = host or f"{label}.{DOMAIN}"
        self.bad[host] = (certificate or server(host, more.pop("issuer", self.middle), **more), *kind)

    def accept(self, label, certificate=None, host=None, **more):
        host = host or f"{label}.{DOMAIN}"
        self.good[host] = certificate or server(host, more.pop("issuer", self.middle), **more)

    def _times(self):
        self.refuse(TIME, "expired-leaf", days=(-30, -1))
        self.refuse(TIME, "future-leaf", days=(3, 30))
        self.refuse(TIME, "expired-intermediate", issuer=authority("Late intermediate", self.root, days=(-30, -1)))
        self.refuse(TIME, "future-intermediate", issuer=authority("Early intermediate", self.root, days=(3, 30)))
        self.refuse(TIME, "expired-root", issuer=self.trusted("Late root", days=(-30, -1)))

    def _names(self):
        self.refuse(NAME, "other-name", names=("elsewhere.example",))
        self.refuse(NAME, "common-name-only", names=(), subject=f"common-name-only.{DOMAIN}")
        self.refuse(NAME, "common-name-beside", names=("elsewhere.example",), subject=f"common-name-beside.{DOMAIN}")
        for host, pattern in {
            f"partial-start.{DOMAIN}": f"partial*.{DOMAIN}", f"end-partial.{DOMAIN}": f"*partial.{DOMAIN}",
            "tld-wildcard.example": "*.example", f"star.{DOMAIN}": "*", "bare-domain.example": "*.bare-domain.example",
            "a.b.two-labels.example": "*.two-labels.example", "a.b.two-stars.example": "*.*.two-stars.example",
            "a.middle.inner-star.example": "a.*.inner-star.example", f"{IDN}.in-label.example": "xn--*.in-label.example",
            f"suffix.{DOMAIN}": f"x.suffix.{DOMAIN}", f"x.parent.{DOMAIN}": f"parent.{DOMAIN}",
            f"leading-dot.{DOMAIN}": f".leading-dot.{DOMAIN}", f"inside.leading-dot.{DOMAIN}": f".leading-dot.{DOMAIN}",
        }.items():
            self.refuse(NAME, "", host=host, names=(pattern,))
        for label, raw in {
            "nul": f"nul.{DOMAIN}\0.elsewhere.example", "nul-first": f"\0nul-first.{DOMAIN}", "nul-last": f"nul-last.{DOMAIN}\0",
            f"{IDN}-utf8": f"b\u00fccher-utf8.{DOMAIN}", IDN: f"b\u00fccher.{DOMAIN}", "space": f"space.{DOMAIN} ",
            "lookalike": f"lookal\u0456ke.{DOMAIN}", "fullwidth": f"\uff46ullwidth.{DOMAIN}",
        }.items():
            self.refuse(NAME, label, names=(raw.encode(),))

    def _trust(self):
        unknown = authority("Unknown root")
        self.refuse(TRUST, "unknown-root", issuer=unknown)
        leaf = server(f"sent-root.{DOMAIN}", unknown)
        self.refuse(TRUST, "sent-root", leaf.sending(unknown))
        self.refuse(TRUST, "self-signed", issuer=None)
        # the trusted root's name, but not its key
        self.refuse(TRUST, "same-name", issuer=authority("Forged root"))
        leaf = server(f"no-intermediate.{DOMAIN}", self.middle)
        self.refuse(TRUST, "no-intermediate", leaf.sending())
        leaf = server(f"other-intermediate.{DOMAIN}", self.middle)
        self.refuse(TRUST, "other-intermediate", leaf.sending(authority("Another intermediate", self.root)))

    def _issuers(self):
        end = server(f"end.{DOMAIN}", self.middle)
        self.refuse(FORM, "leaf-as-authority", issuer=end)
        self.refuse(FORM, "no-constraints", issuer=forge.made("No authority", self.root, constraints=None))
        self.refuse(FORM, "not-an-authority", issuer=forge.made("Not an authority", self.root, constraints="critical"))
        self.refuse(FORM, "no-cert-sign", issuer=authority("May not sign", self.root, usage=False))
        narrow = authority("No further", self.root, path=0)
        self.refuse(FORM, "path-length", issuer=authority("One too far", narrow))
        short = self.trusted("No intermediates", path=0)
        self.refuse(FORM, "root-path-length", issuer=authority("One too many", short))
        self.refuse(FORM, "first-version", issuer=authority("First version", self.root, version=1))

    def _constraints(self):
        def limited(label, permitted=None, excluded=None):
            return authority(f"Limited: {label}", self.root, critical=(x509.NameConstraints(permitted, excluded),))

        self.refuse(FORM, "not-permitted", issuer=limited("elsewhere", [x509.DNSName("elsewhere.example")]))
        self.refuse(FORM, "excluded", issuer=limited("not here", None, [x509.DNSName(DOMAIN)]))
        inner = authority("Below a limit", limited("two above", [x509.DNSName("elsewhere.example")]))
        self.refuse(FORM, "not-permitted-above", issuer=inner)
        self.accept("permitted", issuer=limited("here", [x509.DNSName(DOMAIN)]))
        self.accept("not-excluded", issuer=limited("not there", None, [x509.DNSName("elsewhere.example")]))
        self.for_address = {
            "permitted": server("127.0.0.1", limited("nets", [x509.IPAddress(ipaddress.ip_network("127.0.0.0/8"))])),
            "not permitted": server("127.0.0.1", limited("net", [x509.IPAddress(ipaddress.ip_network("192.0.2.0/24"))])),
            "excluded": server("127.0.0.1", limited("no net", None, [x509.IPAddress(ipaddress.ip_network("127.0.0.0/8"))])),
        }
        self.refuse(FORM, "clients-only", purposes=(CLIENT,))
        self.refuse(FORM, "code-only", purposes=(ExtendedKeyUsageOID.CODE_SIGNING,))
        self.refuse(FORM, "clients-only-above", issuer=authority("For clients", self.root, purposes=(CLIENT,)))
        self.accept("servers-above", issuer=authority("For servers", self.root, purposes=(SERVER, CLIENT)))
        self.accept("no-purpose", purposes=())
        unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\0")
        self.refuse(FORM, "unknown-critical", critical=(unknown,))
        self.refuse(FORM, "unknown-critical-above", issuer=authority("Odd", self.root, critical=(unknown,)))
        self.accept("unknown", extra=(unknown,))

    def _weakness(self):
        self.refuse(FORM, "rsa-1024", key="rsa1024")
        self.refuse(FORM, "rsa-1024-above", issuer=authority("Short", self.root, key="rsa1024"))
        self.refuse(FORM, "rsa-1024-root", issuer=self.trusted("Short root", key="rsa1024"))
        self.refuse(FORM, "p-192-above", issuer=authority("Small curve", self.root, key="p192"))
        for digest in ("sha1", "md5"):
            self.refuse(FORM, digest, issuer=self.rsa, digest=digest)
            self.refuse(FORM, f"{digest}-above", issuer=authority(f"Signed by {digest}", self.rsa, digest=digest))
        self.refuse(FORM, "damaged", damage=True)
        self.refuse(FORM, "damaged-above", issuer=authority("Damaged", self.root, damage=True))

    def _right(self):
        self.accept("plain")
        for key in ("p384", "ed25519", "rsa2048"):
            self.accept(f"key-{key}", key=key)
        self.accept("by-rsa", issuer=self.rsa)
        self.accept("by-ed25519", issuer=authority("Edwards", self.root, key="ed25519"))
        two = authority("Second", self.middle)
        three = authority("Third", two)
        self.accept("three-intermediates", issuer=three)
        leaf = server(f"unordered.{DOMAIN}", three)
        stranger = authority("Stranger", authority("Strange root"))
        self.accept("unordered", leaf.sending(self.middle, stranger, three, self.root, two))
        leaf = server(f"with-root.{DOMAIN}", self.middle)
        self.accept("with-root", leaf.sending(self.middle, self.root))
        # what a root leaves behind that was cross-signed by one whose time is over
        gone = authority("Gone root", days=(-30, -1))
        crossed = authority("Forged root", gone, key=self.root.key)
        leaf = server(f"cross-signed.{DOMAIN}", self.middle)
        self.accept("cross-signed", leaf.sending(self.middle, crossed))
        self.accept("wildcard", host="one.wildcard.example", names=("*.wildcard.example",))
        self.accept(IDN, host=f"{IDN}.good-idn.example")
        self.accept("capitals", names=(f"CAPITALS.{DOMAIN}".upper(),))
        self.accept("two-hundred", names=(*[f"n{number}.{DOMAIN}" for number in range(199)], f"two-hundred.{DOMAIN}"))
        self.accept("no-subject", subject="", names=(f"no-subject.{DOMAIN}",))
        self.accept("timestamps", extra=(forge.embedded_timestamps(b"L" * 32, b"M" * 32),))


@functools.cache
def made():
    return Defects()


MAKING = threading.Lock()


def shared():
    with MAKING:
        return made()
