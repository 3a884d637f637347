"""What authorities say of certificates that they gave: lists, OCSP answers, and the server that hands them out."""

import contextlib
import datetime
import http.server
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

NOW = datetime.datetime.now(datetime.timezone.utc)
STATUS = {"good": ocsp.OCSPCertStatus.GOOD, "revoked": ocsp.OCSPCertStatus.REVOKED, "unknown": ocsp.OCSPCertStatus.UNKNOWN}
MUST_STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


def time(days):
    return NOW + datetime.timedelta(days=days)


def revocation_list(issuer, *revoked, days=(-1, 7), key=None):
    """A CRL of `issuer`'s in DER that lists some certificates; `key` signs instead of the issuer's."""
    builder = (x509.CertificateRevocationListBuilder().issuer_name(issuer.parsed.subject)
               .last_update(time(days[0])).next_update(time(days[1]))
               .add_extension(issuer.identifier, False).add_extension(x509.CRLNumber(1), False))
    for certificate in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(certificate.parsed.serial_number).revocation_date(time(-2))
            .add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), False).build())
    return builder.sign(key or issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def as_pem(data):
    return x509.load_der_x509_crl(data).public_bytes(serialization.Encoding.PEM)


def status_answer(certificate, status="good", *, days=(-1, 5), responder=None, is_shown=True, damage=False):
    """An OCSP answer in DER; `responder` signs in the issuer's place, with its certificate in the answer if `is_shown`."""
    issuer = certificate.issuer
    signer = responder or issuer
    is_revoked = status == "revoked"
    builder = (ocsp.OCSPResponseBuilder()
               .add_response(certificate.parsed, issuer.parsed, hashes.SHA1(), STATUS[status], time(days[0]), time(days[1]),
                             time(-2) if is_revoked else None, x509.ReasonFlags.key_compromise if is_revoked else None)
               .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.parsed))
    if responder and is_shown:
        builder = builder.certificates([responder.parsed])
    data = builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return data[:-1] + bytes([data[-1] ^ 1]) if damage else data


def refusal():
    """A responder that asks to be asked later: no answer, and nobody's signature on it."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(
        serialization.Encoding.DER)


def asked_at(url):
    """The extension that names an OCSP responder."""
    return x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP,
                                                                   x509.UniformResourceIdentifier(url))])


def listed_at(url):
    """The extension that says where the issuer's list is."""
    return x509.CRLDistributionPoints([x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)])


class Responder:
    """HTTP: answers each path with the bytes under it in `answers`, or waits for the test's end if they are None."""

    def __init__(self, address="127.0.0.1"):
        self.answers = {}
        self.requests = []  # method, path, body
        self.accepted = 0
        self.over = threading.Event()
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                path = "/" + self.path.split("/", 3)[3] if self.path.startswith("http") else self.path
                # a GET of OCSP has its request in the path (RFC 6960 appendix A.1)
                path = next((known for known in responder.answers if path == known or path.startswith(known + "/")), path)
                responder.requests.append((self.command, path, body))
                answer = responder.answers.get(path, b"")
                if answer is None:
                    responder.over.wait(20)
                    return
                self.send_response(200 if path in responder.answers else 404)
                self.send_header("Content-Length", str(len(answer)))
                self.send_header("Content-Type", "application/ocsp-response" if body else "application/pkix-crl")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(answer)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                responder.accepted += 1
                return super().get_request()

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def hits(self, path):
        return len([request for request in self.requests if request[1] == path])

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
