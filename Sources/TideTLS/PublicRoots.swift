/// The keys of the roots that browsers trust, by which a private root is told from a public one.
///
/// A chain that ends elsewhere was issued by another interceptor or a private CA, which a record should
/// say: interception should happen once only.
public final class PublicRoots: Sendable {
  private let keys: Set<[UInt8]>

  /// Reads the public roots.
  ///
  /// Keys count, not certificates: a root that is cross-signed or was renewed is still the same.
  ///
  /// - Parameter files: each one's bytes, of one or more certificates in PEM, such as those below
  ///   `/usr/share/ca-certificates/mozilla`. What cannot be read is left out.
  public init(pem files: [[UInt8]]) {
    var keys: Set<[UInt8]> = []
    for file in files {
      // A file that is broken says nothing about which roots are public.
      let certificates = (try? X509Certificate.parse(pem: file)) ?? []
      for certificate in certificates {
        keys.insert(unsafe X509Certificate.keyDigest(of: certificate.handle))
      }
    }
    self.keys = keys
  }

  /// How many keys are known.
  public var count: Int { self.keys.count }

  /// Whether a certificate has the key of a public root; nil if none is known.
  func contains(_ certificate: OpaquePointer) -> Bool? {
    guard !self.keys.isEmpty else { return nil }
    return unsafe self.keys.contains(X509Certificate.keyDigest(of: certificate))
  }
}
