public import TideCore

/// What the engine is told once, at its start.
public struct EngineSettings: Sendable {
  /// Where it listens.
  public let listen: [ListenAddress]
  /// The clients that are served; all others are closed at once.
  public let allowedClients: [CIDR]
  /// How many event loops, at least 1.
  public let loops: Int
  /// Names with addresses of the operator's, before any look-up.
  public let hosts: [Hostname: [IPAddress]]
  /// The bounds.
  public let limits: Limits
  /// The waits.
  public let timeouts: Timeouts

  /// Joins the settings.
  public init(
    listen: [ListenAddress],
    allowedClients: [CIDR],
    loops: Int,
    hosts: [Hostname: [IPAddress]],
    limits: Limits,
    timeouts: Timeouts
  ) {
    self.listen = listen
    self.allowedClients = allowedClients
    self.loops = loops
    self.hosts = hosts
    self.limits = limits
    self.timeouts = timeouts
  }
}
