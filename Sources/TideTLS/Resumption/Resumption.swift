public import TideCore

/// For whom and from where a session with an upstream may go on.
///
/// With the host and what is offered by ALPN it is what sessions are kept by: a session of one device
/// is never used for another's request, and one of another address says nothing about this one.
public struct Resumption: Hashable, Sendable {
  /// The device whose request it is, by the name in its records.
  public let device: String
  /// The address that is dialled.
  public let address: IPAddress
  /// The port that is dialled.
  public let port: UInt16
  /// The time, by which certificates and revocation answers are judged again.
  public let now: WallTime

  /// Joins an attempt.
  public init(device: String, address: IPAddress, port: UInt16, now: WallTime) {
    self.device = device
    self.address = address
    self.port = port
    self.now = now
  }
}
