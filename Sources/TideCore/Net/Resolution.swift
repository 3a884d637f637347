/// A server that names are asked of (`upstream.resolver`).
public struct NameServer: Hashable, Sendable {
  /// Its address.
  public let address: IPAddress
  /// Its port, for UDP and TCP.
  public let port: UInt16

  /// Joins an address and a port.
  public init(address: IPAddress, port: UInt16) {
    self.address = address.unmapped
    self.port = port
  }

  /// Reads `ADDRESS:PORT` with brackets around IPv6, or an address alone, whose port is 53.
  ///
  /// `nil` for anything else, for port 0, and for the unspecified address, where nobody is.
  public init?(_ text: some StringProtocol) {
    if let address = IPAddress(text), !address.isUnspecified {
      self.init(address: address, port: 53)
      return
    }
    guard let authority = Authority(text, defaultPort: 53),
      case .address(let address) = authority.host, !address.isUnspecified,
      // Not in a spelling that only a resolver understands: it is written by hand.
      text.hasPrefix("[") || text.hasPrefix(address.description)
    else { return nil }
    self.init(address: address, port: authority.port)
  }
}

extension NameServer: CustomStringConvertible {
  /// `ADDRESS:PORT`, with brackets around IPv6.
  public var description: String {
    Authority(host: .address(self.address), port: self.port).description
  }
}

/// What looking a name up brought, and from whom: the ground that a region is decided on.
public struct Resolution: Hashable, Sendable {
  /// The most addresses that a name may have: all of them are judged, so there is an end to them.
  public static let mostAddresses = 256

  /// The addresses in the source's order, each once, IPv4-mapped ones as IPv4.
  public let addresses: [IPAddress]
  /// The names that the name is only another name for (CNAME), in the order of the chain.
  ///
  /// Of the system's resolver the last one alone. They add verdicts, and never take one away.
  public let aliases: [Hostname]
  /// For how many seconds the answer holds: the least TTL of its records; nil if the source does not say.
  public let ttl: UInt32?
  /// Who answered: a name server, `system`, or `hosts` for the operator's own list.
  public let source: String
  /// Whether the answer is an earlier one that still holds.
  public var isCached: Bool

  /// Joins an answer; addresses are put in canonical form.
  public init(
    addresses: [IPAddress],
    aliases: [Hostname] = [],
    ttl: UInt32? = nil,
    source: String,
    isCached: Bool = false
  ) {
    var seen: Set<IPAddress> = []
    self.addresses = addresses.map(\.unmapped).filter { seen.insert($0).inserted }
    self.aliases = aliases
    self.ttl = ttl
    self.source = source
    self.isCached = isCached
  }
}
