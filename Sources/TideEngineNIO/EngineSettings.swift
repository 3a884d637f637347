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
  /// Who is asked for all other names; the system's resolver if there are none.
  public let nameServers: [NameServer]
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
    nameServers: [NameServer] = [],
    limits: Limits,
    timeouts: Timeouts
  ) {
    self.listen = listen
    self.allowedClients = allowedClients
    self.loops = loops
    self.hosts = hosts
    self.nameServers = nameServers
    self.limits = limits
    self.timeouts = timeouts
  }
}
