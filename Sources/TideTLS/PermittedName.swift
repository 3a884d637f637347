public import TideCore

/// What a CA may be limited to (`ca.permit`): a name and all below it, or a block of addresses.
public enum PermittedName: Hashable, Sendable {
  /// A name, and everything below it.
  ///
  /// X.509 has no way to say "below it, but not itself": `*.miui.com` and `miui.com` mean the same.
  case domain(Hostname)
  /// Addresses, as hosts of their own.
  case network(CIDR)

  /// Reads `*.miui.com`, `miui.com`, `192.0.2.1` or `192.0.2.0/24`; nil for anything else, `*` among it.
  public init?(_ text: some StringProtocol) {
    if let network = CIDR(text) {
      self = .network(network)
    } else if let name = Hostname(text.hasPrefix("*.") ? text.dropFirst(2) : text[...]) {
      self = .domain(name)
    } else {
      return nil
    }
  }
}

extension PermittedName: CustomStringConvertible {
  /// The name, or the block.
  public var description: String {
    switch self {
    case .domain(let name): name.text
    case .network(let block): block.description
    }
  }
}
