internal import COpenSSL
internal import TideCrypto

/// The roots below which an authority must be to be believed: a PEM file that was found to have some.
public struct TimestampRoots: Sendable {
  let path: String

  /// Takes a PEM file of certificates.
  ///
  /// - Throws: `badName` if it cannot be read, or has none.
  public init(path: String) throws(EvidenceFailure) {
    guard let store = unsafe X509_STORE_new() else {
      throw EvidenceFailure(.crypto, detail: OpenSSLText.errors(path))
    }
    defer { unsafe X509_STORE_free(store) }
    guard unsafe X509_STORE_load_file(store, path) == 1 else {
      throw EvidenceFailure(.badName, detail: OpenSSLText.errors("\(path): no roots"))
    }
    self.path = path
  }
}
