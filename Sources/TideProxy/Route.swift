import TideCore
import TidePolicy

/// Where a request wants to go, before that is decided.
struct Destination {
  /// Why the way is being made.
  enum Purpose {
    /// A CONNECT: its head, for the language of an answer.
    case tunnel(MessageHead)
    /// An absolute-form request, which waits at the front of `requestParts`.
    case forward
  }

  let authority: Authority
  let purpose: Purpose
  /// What was found for its name; nil before, and of an address.
  var resolution: Resolution?
  var decision: ConnectDecision?

  /// What its name is only another name for.
  var aliases: [Hostname] { self.resolution?.aliases ?? [] }
}

/// Who answers the requests of a connection.
enum Answerer {
  /// The server that was dialled.
  case upstream
  /// We do, in the place of a server that a rule blocks.
  case sinkhole(RuleID)
  /// We do, as ourselves.
  case site
}

/// A CONNECT that was answered with 200.
struct Tunnel {
  let authority: Authority
  let answerer: Answerer
  let decision: ConnectDecision?
  /// The address that was dialled; nil if none was.
  let target: PinnedTarget?
  /// The addresses of what CONNECT named, judged by the rules in force.
  private(set) var asked: [Candidate]
  /// Where the hello's name leads, if it is not the CONNECT target's: judged too, never dialled.
  var named: [Candidate] = []
  /// What the CONNECT name and the hello's are only other names for.
  var aliases: [Hostname]

  init(
    authority: Authority,
    answerer: Answerer,
    decision: ConnectDecision?,
    target: PinnedTarget?,
    aliases: [Hostname] = []
  ) {
    self.authority = authority
    self.answerer = answerer
    self.decision = decision
    self.target = target
    self.asked = decision?.candidates ?? []
    self.aliases = aliases
  }

  /// Every address that rules judge.
  var candidates: [Candidate] { self.asked + self.named }

  /// Looks the addresses' regions up anew.
  mutating func judgeAgain(by policy: PolicySnapshot) {
    self.asked = self.asked.map { policy.candidate($0.address) }
    self.named = self.named.map { policy.candidate($0.address) }
  }

  /// The same tunnel, answered by us for a rule.
  func sinkholed(by rule: RuleID) -> Tunnel {
    var tunnel = Tunnel(
      authority: self.authority,
      answerer: .sinkhole(rule),
      decision: self.decision,
      target: nil,
      aliases: self.aliases
    )
    tunnel.asked = self.asked
    tunnel.named = self.named
    return tunnel
  }
}

/// What exchanges on a connection share until its destination changes.
///
/// A class, because each exchange keeps it.
final class Route {
  let answerer: Answerer
  let facts: ConnectionFacts
  /// The CONNECT name and the SNI, or the absolute target's host: rules judge by all of them.
  let names: [Host]
  /// What those are only other names for.
  let aliases: [Hostname]
  /// The name whose leaf the device was shown; requests for another are misdirected.
  let leafHost: Host
  let isSecure: Bool
  /// Whether it is a CONNECT's: its requests are for the one server, and none of them is for the proxy.
  let isTunnel: Bool
  /// The leaf's host with the connection's port: whom requests are for.
  let authority: Authority
  /// Scheme, host and port as a URL begins.
  let origin: String
  /// The two spellings of Host that nearly every request has, so that they are compared, not parsed.
  private let usualHosts: [Bytes]

  init(
    answerer: Answerer,
    facts: ConnectionFacts,
    names: [Host],
    aliases: [Hostname] = [],
    leafHost: Host,
    isSecure: Bool,
    isTunnel: Bool
  ) {
    self.answerer = answerer
    self.facts = facts
    self.names = names
    self.aliases = aliases
    self.leafHost = leafHost
    self.isSecure = isSecure
    self.isTunnel = isTunnel
    self.authority = Authority(host: leafHost, port: facts.authority.port)
    let full = self.authority.description
    let bare = RequestDestination.withoutPort(self.authority)
    let isDefaultPort = facts.authority.port == (isSecure ? 443 : 80)
    self.origin = "\(facts.scheme)://\(isDefaultPort ? bare : full)"
    self.usualHosts = [Bytes(bare), Bytes(full)]
  }

  /// The authority that a Host field names; nil if it is malformed.
  func authority(ofHost field: Bytes) -> Authority? {
    if self.usualHosts.contains(field) { return self.authority }
    return Authority(utf8: field, defaultPort: self.facts.authority.port)
  }
}
