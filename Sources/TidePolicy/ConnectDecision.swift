public import TideCore

/// A destination that a client asks for, with all the addresses it resolved to.
public struct ConnectRequest: Sendable {
  /// The device's name.
  public let device: String
  /// What was asked for.
  public let authority: Authority
  /// The addresses in the resolver's order, each once, IPv4-mapped ones as IPv4.
  public let resolved: [IPAddress]
  /// The names that what was asked for is only another name for.
  public let aliases: [Hostname]

  /// Joins a request; an address literal stands for itself alone, whatever `resolved` says.
  public init(
    device: String,
    authority: Authority,
    resolved: [IPAddress],
    aliases: [Hostname] = []
  ) {
    self.device = device
    self.authority = authority
    switch authority.host {
    case .address(let address):
      self.resolved = [address.unmapped]
      self.aliases = []
    case .name:
      self.aliases = aliases
      var seen: Set<IPAddress> = []
      self.resolved = resolved.map(\.unmapped).filter { seen.insert($0).inserted }
    }
  }
}

/// Why a destination is not dialled and the client is told so.
public enum ConnectRefusal: Hashable, Sendable {
  /// A rule with `how: refuse` blocks it.
  case rule(RuleID)
  /// Each of its addresses is of special use and not allowed; the first one and its use.
  case specialUse(IPAddress, String)
  /// One of its addresses, with the port, is this proxy.
  case loop(IPAddress)
  /// It has no address.
  case noAddress
}

/// What is decided before anything is dialled.
public struct ConnectDecision: Sendable {
  /// What to do.
  public enum Outcome: Hashable, Sendable {
    /// Dial the first of these; if that fails, the next. Never empty.
    case dial([PinnedTarget])
    /// Answer in the server's place without dialling.
    case sinkhole(RuleID)
    /// Do not serve the client.
    case refuse(ConnectRefusal)
  }

  /// Every address judged, those that may not be dialled too.
  public let candidates: [Candidate]
  /// What the rules that can be decided now say.
  public let verdict: Verdict
  /// What to do.
  public let outcome: Outcome
}

/// A connection at the moment its ClientHello is in.
public struct HelloContext: Sendable {
  /// The device's name.
  public let device: String
  /// What the client asked for.
  public let authority: Authority
  /// The address dialled; nil if none was.
  public let address: IPAddress?
  /// The addresses of what the client asked for.
  public let candidates: [Candidate]
  /// The addresses of the server name if it is not what the client asked for, else empty.
  public let serverNameCandidates: [Candidate]
  /// The names that either of the two is only another name for.
  public let aliases: [Hostname]

  /// Joins a context.
  public init(
    device: String,
    authority: Authority,
    address: IPAddress?,
    candidates: [Candidate],
    serverNameCandidates: [Candidate] = [],
    aliases: [Hostname] = []
  ) {
    self.device = device
    self.authority = authority
    self.address = address
    self.candidates = candidates
    self.serverNameCandidates = serverNameCandidates
    self.aliases = aliases
  }
}

/// What is decided on a ClientHello, before a byte of it goes on.
public enum HelloDecision: Hashable, Sendable {
  /// Decrypt and inspect.
  case intercept
  /// Relay without decrypting.
  case passthrough
  /// Finish the handshake without the server and answer in its place.
  case sinkhole(RuleID)
  /// The server name is not the name that the connection was opened for.
  case refuseFronting
  /// Close: a rule with `how: refuse` blocks it, or a rule names the region of what would not be decrypted.
  case refuse(RuleID)
}
