/// What a client names as its destination: a host name or an address literal.
public enum Host: Hashable, Sendable {
  /// A name to resolve.
  case name(Hostname)
  /// An address, however it was spelled.
  case address(IPAddress)

  /// Reads a host as it stands in a URI or a `Host` field (RFC 3986 §3.2.2); `nil` if it is neither.
  public init?(_ text: some StringProtocol) { self.init(utf8: Bytes(Array(text.utf8))) }

  /// Reads a host as it came; `nil` if it is neither.
  public init?(utf8 text: Bytes) {
    if let address = IPAddress(lenient: text) {
      self = .address(address.unmapped)
    } else if let name = Hostname(utf8: text) {
      self = .name(name)
    } else {
      return nil
    }
  }
}

extension Host {
  /// Whether it is a name, not an address.
  public var isName: Bool {
    switch self {
    case .name: true
    case .address: false
    }
  }
}

extension Host: CustomStringConvertible {
  /// The name, or the address in canonical form without brackets.
  public var description: String {
    switch self {
    case .name(let name): name.text
    case .address(let address): address.description
    }
  }
}

/// A host and a port (RFC 3986 §3.2, without userinfo).
public struct Authority: Hashable, Sendable {
  /// The host.
  public let host: Host
  /// The port, 1...65535.
  public let port: UInt16

  /// Joins a host and a port.
  public init(host: Host, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port`, with `[…]` around IPv6; `nil` if malformed or with userinfo.
  ///
  /// - Parameters:
  ///   - text: the authority as sent.
  ///   - defaultPort: the port if none is written; `nil` makes the port mandatory, as in CONNECT
  ///     (RFC 9110 §9.3.6).
  public init?(_ text: some StringProtocol, defaultPort: UInt16?) {
    self.init(utf8: Bytes(Array(text.utf8)), defaultPort: defaultPort)
  }

  /// Reads an authority as it came.
  public init?(utf8 text: Bytes, defaultPort: UInt16?) {
    // ASCII only: text that Unicode would fold or join must not be compared as text.
    guard text.allSatisfy({ $0 < 0x80 && $0 != 0x40 }) else { return nil }
    var end = text.firstIndex(of: 0x3A) ?? text.count
    if text.first == 0x5B {
      // In brackets is IPv6, and nothing else.
      guard let bracket = text.firstIndex(of: 0x5D), end < bracket else { return nil }
      end = bracket + 1
    }
    guard let host = Host(utf8: text.slice(0..<end)) else { return nil }
    let rest = text.dropping(first: end)
    if rest.isEmpty {
      guard let defaultPort else { return nil }
      self.init(host: host, port: defaultPort)
      return
    }
    let digits = rest.dropping(first: 1)
    guard rest.first == 0x3A, (1...5).contains(digits.count), digits.allSatisfy(ASCII.isDigit)
    else { return nil }
    let port = digits.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
    guard let port = UInt16(exactly: port), port > 0 else { return nil }
    self.init(host: host, port: port)
  }
}

extension Authority: CustomStringConvertible {
  /// `host:port`, with brackets around IPv6.
  public var description: String {
    if case .address(.v6) = self.host { return "[\(self.host)]:\(self.port)" }
    return "\(self.host):\(self.port)"
  }
}
