/// What a client names as its destination: a host name or an address literal.
public enum Host: Hashable, Sendable {
  /// A name to resolve.
  case name(Hostname)
  /// An address, however it was spelled.
  case address(IPAddress)

  /// Reads a host as it stands in a URI or a `Host` field (RFC 3986 §3.2.2); `nil` if it is neither.
  public init?(_ text: some StringProtocol) {
    if let address = IPAddress(lenient: text) {
      self = .address(address.unmapped)
    } else if let name = Hostname(text) {
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
    guard !text.contains("@") else { return nil }
    let hostText: String
    let rest: String
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      hostText = String(text[...end])
      guard hostText.contains(":") else { return nil }
      rest = String(text[text.index(after: end)...])
    } else {
      let colon = text.firstIndex(of: ":") ?? text.endIndex
      hostText = String(text[..<colon])
      rest = String(text[colon...])
    }
    guard let host = Host(hostText) else { return nil }
    if rest.isEmpty {
      guard let defaultPort else { return nil }
      self.init(host: host, port: defaultPort)
      return
    }
    let digits = rest.dropFirst()
    guard rest.hasPrefix(":"), (1...5).contains(digits.utf8.count),
      digits.utf8.allSatisfy(ASCII.isDigit), let port = UInt16(digits), port > 0
    else { return nil }
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
