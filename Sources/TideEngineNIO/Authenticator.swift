public import TideCore

/// Whoever knows which user credentials belong to.
///
/// Asked on threads of its own, since a password's check takes long on purpose; may block.
public protocol Authenticator: Sendable {
  /// The user; nil if the credentials are nobody's.
  func user(of credentials: ProxyCredentials) -> String?
}
