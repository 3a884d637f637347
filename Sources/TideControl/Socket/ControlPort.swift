public import TideCore

/// What the control socket can ask of a running proxy.
///
/// Called on the socket's own thread, one request at a time.
public protocol ControlPort: Sendable {
  /// Puts a phase mark into the running case.
  ///
  /// - Parameter text: the mark, not empty, at most 1,024 bytes, without control characters.
  /// - Throws: why the mark could not be put.
  func mark(_ text: String) throws(ControlFailure)
  /// Loads rules, devices and regions anew and says what is in force now; on failure nothing changes.
  func reload() throws(ControlFailure) -> String
  /// Begins to stop; returns at once. The reply has been sent by then.
  func stop()
  /// What is going on, by name.
  func status() -> [String: ControlValue]
  /// The hosts that are relayed undecrypted because devices refuse to have them intercepted.
  func passthroughs() -> [ControlPassthrough]
  /// Has a host intercepted again that is relayed.
  ///
  /// - Parameters:
  ///   - host: the host.
  ///   - device: for which device; nil for all.
  /// - Returns: what was done, for people.
  /// - Throws: `refusing:` if no such host is relayed.
  func revoke(host: Host, device: String?) throws(ControlFailure) -> String
}

/// A host that is relayed undecrypted for a device.
public struct ControlPassthrough: Codable, Hashable, Sendable {
  /// The device's name, or its address.
  public let device: String
  /// The host.
  public let host: String
  /// Until when, RFC 3339.
  public let until: String

  /// Joins the three.
  public init(device: String, host: Host, until: WallTime) {
    self.device = device
    self.host = host.description
    self.until = until.rfc3339
  }
}

/// A value in the proxy's status.
public enum ControlValue: Hashable, Sendable {
  /// Words.
  case text(String)
  /// A count.
  case number(Int)
  /// Yes or no.
  case flag(Bool)
  /// Several words.
  case list([String])
}

extension ControlValue: Codable {
  /// Reads whichever of the four it is.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let flag = try? container.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? container.decode(Int.self) {
      self = .number(number)
    } else if let list = try? container.decode([String].self) {
      self = .list(list)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  /// Writes the bare value.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .number(let number): try container.encode(number)
    case .flag(let flag): try container.encode(flag)
    case .list(let list): try container.encode(list)
    }
  }
}
