public import TideCore

/// What policy needs to know besides rules and regions (PRODUCT.md section 5).
public struct PolicySettings: Sendable {
  /// What is done when a server name or `Host` is not the name that the connection was opened for.
  public enum Fronting: String, CaseIterable, Sendable {
    /// Refuse it.
    case refuse
    /// Resolve it and judge it too; the strictest verdict holds.
    case judge
  }

  /// The ceiling on what is applied.
  public var mode: Mode
  /// The regions that `watched` stands for.
  public var watch: [String]
  /// Blocks of special-use addresses that may be dialled all the same.
  public var allowSpecialUse: [CIDR]
  /// Patterns of hosts that are relayed without being decrypted.
  public var passthrough: [String]
  /// What is done with names that differ.
  public var fronting: Fronting
  /// The addresses that we listen on.
  ///
  /// For a listener on every address, `0.0.0.0` or `::` and each address of the machine.
  public var ownAddresses: [IPAddress]
  /// The ports that we listen on.
  public var ownPorts: [UInt16]
  /// The most addresses of one name that are dialled, one after the other; all of them are judged.
  public var candidatesLimit: Int
  /// The names that a device can have, addresses aside; nil where that is not known.
  public var devices: [String]?

  /// Joins settings; the defaults are those of the product, with nothing listened on.
  public init(
    mode: Mode = .record,
    watch: [String] = ["CN"],
    allowSpecialUse: [CIDR] = [],
    passthrough: [String] = [],
    fronting: Fronting = .refuse,
    ownAddresses: [IPAddress] = [],
    ownPorts: [UInt16] = [],
    candidatesLimit: Int = Limits().candidates,
    devices: [String]? = nil
  ) {
    self.mode = mode
    self.watch = watch
    self.allowSpecialUse = allowSpecialUse
    self.passthrough = passthrough
    self.fronting = fronting
    self.ownAddresses = ownAddresses
    self.ownPorts = ownPorts
    self.candidatesLimit = candidatesLimit
    self.devices = devices
  }
}
