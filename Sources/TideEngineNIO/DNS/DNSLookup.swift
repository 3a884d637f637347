import TideCore

/// One name's way to its addresses: a question for each family, aliases followed, without I/O.
struct DNSLookup: Sendable {
  /// A question that is open.
  struct Question: Hashable, Sendable {
    let name: DNSName
    let type: DNSType
  }

  /// What came of a lookup, and for how long it may be kept; 0 is not at all.
  struct Outcome: Sendable {
    let result: Result<Resolution, FlowFailure>
    let ttl: UInt32
  }

  private struct Track: Sendable {
    var aliases: [DNSName] = []
    var ttl = UInt32.max
    var state = State.asking

    enum State: Sendable {
      case asking
      case found([IPAddress])
      /// The name is there or not, but has no address of this family; for how long that holds.
      case nothing(isAbsent: Bool, ttl: UInt32)
      case failed(FlowFailure)
    }
  }

  /// The longest chain of aliases that is followed.
  static let mostAliases = 8

  let name: Hostname
  private var tracks: [DNSType: Track]

  init(_ name: Hostname) {
    self.name = name
    self.tracks = [.a: Track(), .aaaa: Track()]
  }

  /// The questions to begin with.
  var questions: [Question] {
    DNSType.allCases.map { Question(name: DNSName(self.name), type: $0) }
  }

  /// Takes a message that answers `question`; what to ask next, nil if nothing.
  mutating func take(_ message: DNSMessage, for question: Question) -> Question? {
    guard var track = self.tracks[question.type], case .asking = track.state else { return nil }
    defer { self.tracks[question.type] = track }
    var target = question.name
    // The chain within the message, in whatever order its records stand.
    while let alias = Self.alias(of: target, in: message) {
      guard track.aliases.count < Self.mostAliases else {
        track.state = .failed(self.failure("more than \(Self.mostAliases) aliases in a row"))
        return nil
      }
      track.aliases.append(alias.name)
      track.ttl = min(track.ttl, alias.ttl)
      target = alias.name
    }
    var found: [IPAddress] = []
    for record in message.answers
    where record.owner == target && record.type == question.type.rawValue {
      guard case .address(let address) = record.content else { continue }
      found.append(address)
      track.ttl = min(track.ttl, record.ttl)
    }
    guard found.isEmpty else {
      track.state = .found(found)
      return nil
    }
    let negative = Self.negativeTTL(of: message)
    // An alias of which the message neither has an address nor says that there is none.
    if target != question.name, negative == nil, message.code == 0 {
      return Question(name: target, type: question.type)
    }
    track.state = .nothing(
      isAbsent: message.code == 3,
      ttl: min(negative ?? 0, track.ttl)
    )
    return nil
  }

  /// Takes that `question` cannot be answered.
  mutating func fail(_ failure: FlowFailure, for question: Question) {
    self.tracks[question.type]?.state = .failed(failure)
  }

  /// What came of it, once every question is settled.
  ///
  /// What is known counts: one family's addresses do not wait for a server that is silent on the other.
  func outcome(from source: String) -> Outcome? {
    var addresses: [IPAddress] = []
    var ttl = UInt32.max
    var negative = UInt32.max
    var failure: FlowFailure?
    var isAbsent = false
    for type in DNSType.allCases {
      guard let track = self.tracks[type] else { continue }
      switch track.state {
      case .asking: return nil
      case .found(let found):
        addresses += found
        ttl = min(ttl, track.ttl)
      case .nothing(let absent, let time):
        isAbsent = isAbsent || absent
        negative = min(negative, time)
      case .failed(let why): failure = failure ?? why
      }
    }
    guard addresses.isEmpty else {
      return self.found(addresses, ttl, isWhole: failure == nil, source)
    }
    if let failure { return Outcome(result: .failure(failure), ttl: 0) }
    let why = isAbsent ? "no such name (NXDOMAIN)" : "the name has no address"
    return Outcome(
      result: .failure(
        FlowFailure(
          .nameNotFound,
          origin: .upstream,
          detail: "\(self.name): \(why), says \(source)"
        )
      ),
      ttl: negative
    )
  }

  private func found(
    _ addresses: [IPAddress],
    _ ttl: UInt32,
    isWhole: Bool,
    _ source: String
  ) -> Outcome {
    guard addresses.count <= Resolution.mostAddresses else {
      return Outcome(
        result: .failure(self.failure("more than \(Resolution.mostAddresses) addresses")),
        ttl: 0
      )
    }
    var aliases: [Hostname] = []
    for type in DNSType.allCases {
      for alias in self.tracks[type]?.aliases ?? [] {
        if let host = alias.host, !aliases.contains(host) { aliases.append(host) }
      }
    }
    let resolution = Resolution(addresses: addresses, aliases: aliases, ttl: ttl, source: source)
    // Half an answer is good enough to go on with, not to be kept.
    return Outcome(result: .success(resolution), ttl: isWhole ? ttl : 0)
  }

  private func failure(_ detail: String) -> FlowFailure {
    FlowFailure(.resolverFailed, origin: .upstream, detail: "\(self.name): \(detail)")
  }

  private static func alias(
    of name: DNSName,
    in message: DNSMessage
  ) -> (name: DNSName, ttl: UInt32)? {
    for record in message.answers where record.owner == name {
      if case .alias(let target) = record.content { return (target, record.ttl) }
    }
    return nil
  }

  /// For how long it holds that there is nothing: the lesser of the zone's two times (RFC 2308 §5).
  private static func negativeTTL(of message: DNSMessage) -> UInt32? {
    for record in message.authorities {
      if case .zone(let ttl) = record.content { return min(ttl, record.ttl) }
    }
    return nil
  }
}
