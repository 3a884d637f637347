import COpenSSL
import TideCore
import TideCrypto

/// A certificate with its key by which some upstreams know us: one entry of `tls.client_certs`.
public struct ClientIdentity: Sendable {
  /// The hosts that are shown it: a name, `*.` and a name for all below it, or an address.
  public let host: String
  private let credentials: Credentials

  /// Reads an identity.
  ///
  /// - Parameters:
  ///   - host: the hosts that are shown it, as for `passthrough`. Not `*`: a certificate names its
  ///     owner, and is not for everybody.
  ///   - certificatePEM: the certificate, then those of its issuers that the server may not have.
  ///   - keyPEM: its key, unencrypted.
  /// - Throws: `.certificate` if the host is none, if certificate or key cannot be read, if they do not
  ///   belong together, or if they are too weak to be shown (security level 2); `.internal`.
  public init(
    host: String,
    certificatePEM: [UInt8],
    keyPEM: [UInt8]
  ) throws(TLSFailure) {
    let name = host.hasPrefix("*.") ? host.dropFirst(2) : host[...]
    guard let parsed = Host(name), parsed.isName || name.count == host.count else {
      throw TLSFailure(.certificate, detail: "not a host to show a client certificate")
    }
    self.host = (name.count == host.count ? "" : "*.") + parsed.description
    let chain = try X509Certificate.parse(pem: certificatePEM)
    self.credentials = try Credentials(chain: chain, key: .parse(pem: keyPEM))
    try self.tryOut()
  }

  /// Has a session take it that is as demanding as those with upstreams.
  private func tryOut() throws(TLSFailure) {
    let context = try unsafe newContext(TLS_client_method())
    defer { unsafe SSL_CTX_free(context) }
    guard let session = unsafe SSL_new(context) else { throw .drained(.internal, "no session") }
    defer { unsafe SSL_free(session) }
    guard unsafe self.use(in: session) else {
      throw .drained(.certificate, "not to be used as a client certificate")
    }
  }

  /// What stands for it among a context's settings.
  var digest: [UInt8] { Array(self.host.utf8) + [0] + self.credentials.digest }

  /// Whether a host is shown it.
  func isFor(_ host: Host) -> Bool {
    switch host {
    case .name(let name): name.matches(pattern: self.host)
    case .address(let address): address.description == self.host
    }
  }

  /// Has a session show it; false if libssl does not take it.
  func use(in session: OpaquePointer) -> Bool { unsafe self.credentials.use(in: session) }

  private final class Credentials: @unchecked Sendable {
    // Sendable: certificates and key are never changed, and OpenSSL locks what it caches in them.
    private let chain: [X509Certificate]
    private let key: PrivateKey

    init(chain: [X509Certificate], key: PrivateKey) throws(TLSFailure) {
      ErrorQueue.clear()
      guard let leaf = chain.first, unsafe X509_check_private_key(leaf.handle, key.handle) == 1
      else {
        throw .drained(.certificate, "the private key is not the certificate's")
      }
      self.chain = chain
      self.key = key
    }

    var digest: [UInt8] { self.chain.first.map { Digest.sha256.hash($0.der) } ?? [] }

    func use(in session: OpaquePointer) -> Bool {
      guard let leaf = self.chain.first,
        unsafe SSL_use_certificate(session, leaf.handle) == 1,
        unsafe SSL_use_PrivateKey(session, self.key.handle) == 1
      else { return false }
      return self.chain.dropFirst().allSatisfy {
        unsafe tide_ssl_add_chain_certificate(session, $0.handle) == 1
      }
    }
  }
}
