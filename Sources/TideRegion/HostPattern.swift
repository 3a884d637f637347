public import TideCore

/// A pattern of host names, read once: `*`, a name, `*.` and a name, or an address.
///
/// It matches as `Hostname.matches(pattern:)` does, without comparing text that cannot match.
public enum HostPattern: Hashable, Sendable {
  /// `*`: every name and every address.
  case any
  /// A name, by itself.
  case name(Hostname)
  /// Any name below this one; holds the suffix with its leading dot.
  case below(String)
  /// An address, however it was spelled.
  case address(IPAddress)

  /// Reads a pattern; nil if it is none of the forms.
  public init?(_ text: String) {
    if text == "*" {
      self = .any
    } else if text.hasPrefix("*.") {
      guard let name = Hostname(text.dropFirst(2)) else { return nil }
      self = .below("." + name.text)
    } else {
      switch Host(text) {
      case .name(let name): self = .name(name)
      case .address(let address): self = .address(address)
      case nil: return nil
      }
    }
  }

  /// Whether `name` matches.
  public func matches(_ name: Hostname) -> Bool {
    switch self {
    case .any: return true
    case .name(let own): return own == name
    case .below(let suffix):
      let (text, tail) = (name.text.utf8, suffix.utf8)
      return text.count > tail.count && text.suffix(tail.count).elementsEqual(tail)
    case .address: return false
    }
  }

  /// Whether `host` matches.
  public func matches(_ host: Host) -> Bool {
    switch (host, self) {
    case (.name(let name), _): self.matches(name)
    case (.address(let address), .address(let own)): address.unmapped == own
    case (.address, .any): true
    case (.address, .name), (.address, .below): false
    }
  }
}
