/// What a device says of itself in Proxy-Authorization (RFC 9110 §11.7.2).
public enum ProxyCredentials: Hashable, Sendable {
  /// A user and a password (RFC 7617).
  case basic(user: Bytes, password: Bytes)
  /// A token (RFC 6750).
  case bearer(Bytes)
}
