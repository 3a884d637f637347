import COpenSSL
import Glibc
import TideCore

@testable import TideTLS

/// The time by the machine's clock, which OpenSSL's verification goes by.
var now: WallTime { WallTime(seconds: Int64(time(nil))) }

let day: Int64 = 86_400

/// A host from a literal.
func host(_ text: String) -> Host {
  guard let host = Host(text) else { preconditionFailure("not a host: \(text)") }
  return host
}

/// A certificate of any shape with its key: what a test's server shows, or who issues it.
struct TestIdentity {
  let certificate: X509Certificate
  let key: PrivateKey

  /// A root or an intermediate.
  static func authority(
    _ name: String,
    notBefore: WallTime = now.advanced(bySeconds: -day),
    notAfter: WallTime = now.advanced(bySeconds: day),
    key: PrivateKey? = nil,
    basics: CertificateExtension = .anyAuthority,
    issuer: TestIdentity? = nil,
    extensions: [CertificateExtension] = []
  ) throws -> TestIdentity {
    let key = try key ?? PrivateKey.generate(.p256)
    let identifier = CertificateAuthority.keyIdentifier(of: key)
    return try Self.make(
      name,
      notBefore: notBefore,
      notAfter: notAfter,
      key: key,
      extensions: [basics, .certificateSigning, .subjectKey(identifier)] + extensions,
      issuer: issuer
    )
  }

  /// A server's certificate for `hosts`.
  static func server(
    _ hosts: [Host],
    name: String = "server",
    notBefore: WallTime = now.advanced(bySeconds: -day),
    notAfter: WallTime = now.advanced(bySeconds: day),
    key: PrivateKey? = nil,
    extensions: [CertificateExtension] = [.serverAuthentication],
    issuer: TestIdentity?
  ) throws -> TestIdentity {
    try Self.make(
      name,
      notBefore: notBefore,
      notAfter: notAfter,
      key: key,
      extensions: hosts.map { .host($0, isCritical: false) } + extensions,
      issuer: issuer
    )
  }

  /// A server's certificate with the raw dNSName `pattern`.
  static func server(pattern: String, issuer: TestIdentity) throws -> TestIdentity {
    let names = CertificateExtension.element(
      0x30,
      CertificateExtension.element(0x82, Array(pattern.utf8))
    )
    return try Self.make(
      "server",
      extensions: [
        CertificateExtension(kind: NID_subject_alt_name, isCritical: false, value: names)
      ],
      issuer: issuer
    )
  }

  /// A certificate with exactly these extensions, but for the issuer's key identifier.
  static func make(
    _ name: String,
    notBefore: WallTime = now.advanced(bySeconds: -day),
    notAfter: WallTime = now.advanced(bySeconds: day),
    key: PrivateKey? = nil,
    extensions: [CertificateExtension],
    issuer: TestIdentity?
  ) throws -> TestIdentity {
    let key = try key ?? PrivateKey.generate(.p256)
    // Strict verification wants it of all but self-signed certificates (RFC 5280 §4.2.1.1).
    let identifier = issuer.map {
      CertificateExtension.authorityKey(CertificateAuthority.keyIdentifier(of: $0.key))
    }
    let draft = CertificateDraft(
      subject: .entries([.init(attribute: NID_commonName, value: name)]),
      notBefore: notBefore,
      notAfter: notAfter,
      extensions: extensions + (identifier.map { [$0] } ?? [])
    )
    guard let issuer else {
      return TestIdentity(certificate: try draft.selfSigned(with: key), key: key)
    }
    let certificate = try draft.signed(for: key, by: issuer.certificate, with: issuer.key)
    return TestIdentity(certificate: certificate, key: key)
  }

  /// What a server session shows: this certificate, then `chain`.
  func leaf(chain: [TestIdentity] = []) -> Leaf {
    Leaf(
      host: host("server.example"),
      certificate: self.certificate,
      key: self.key,
      chain: chain.map(\.certificate)
    )
  }

  /// The certificate in PEM.
  var pem: [UInt8] {
    guard let memory = MemoryBIO() else { return [] }
    unsafe PEM_write_bio_X509(memory.handle, self.certificate.handle)
    return memory.bytes
  }
}

extension CertificateExtension {
  /// `basicConstraints` of a CA without a limit to the path below it.
  static let anyAuthority = CertificateExtension(
    kind: NID_basic_constraints,
    isCritical: true,
    value: [0x30, 0x03, 0x01, 0x01, 0xFF]
  )
}

extension PrivateKey {
  /// A key of a kind that the product itself never makes: `RSA` of any size, `P-384`, `ED25519`.
  static func generate(_ kind: String, bits: Int32) throws -> PrivateKey {
    let context = unsafe EVP_PKEY_CTX_new_from_name(nil, kind == "P-384" ? "EC" : kind, nil)
    defer { unsafe EVP_PKEY_CTX_free(context) }
    unsafe EVP_PKEY_keygen_init(context)
    switch kind {
    case "RSA": unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits)
    case "P-384": unsafe EVP_PKEY_CTX_set_group_name(context, kind)
    default: break
    }
    var handle: OpaquePointer?
    guard unsafe EVP_PKEY_generate(context, &handle) == 1, let handle = unsafe handle else {
      throw TLSFailure.drained(.internal, "no key")
    }
    return unsafe PrivateKey(owning: handle)
  }
}
