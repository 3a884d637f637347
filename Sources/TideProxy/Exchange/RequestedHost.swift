import TideCore
import TideHTTP
import TidePolicy

/// Where a request's own Host leads, if it is not its connection's: judged beside it, never dialled.
struct RequestedHost {
  /// Its addresses, judged.
  var candidates: [Candidate] = []
  /// What it is only another name for.
  var aliases: [Hostname] = []
  /// Why nobody can say where it leads; nil if that is known.
  var failure: FlowFailure?
}

/// The hosts that requests on one connection name besides its own (`tls.fronting: judge`).
struct RequestedHosts {
  /// What became of looking them up.
  var known: [Hostname: Result<Resolution, FlowFailure>] = [:]
  /// The one that is being looked up; requests wait for it.
  var awaited: (name: Hostname, since: Instant)?
  /// Over HTTP/2: what came after the request that waits, and with it.
  var frames: [HTTP2Event] = []
  /// Over HTTP/2: what was read and not taken apart yet; one read at most, since the leg is paused.
  var bytes = Bytes()

  /// The most that are looked up for one connection.
  static let most = 64
}

/// Fronting and coalescing where they are allowed: every name is looked up, and the strictest verdict holds.
extension ConnectionMachine {
  /// Whether a request has to wait until it is known where its host leads; begins to look it up.
  func awaitsHost(of head: MessageHead) -> Bool {
    guard self.context.policy.settings.fronting == .judge, let route = self.route, route.isTunnel,
      case .upstream = route.answerer
    else { return false }
    let named: Authority?
    do throws(HTTPFailure) {
      named = try RequestDestination(head, route: route).named
    } catch {
      return false  // it is refused where it begins
    }
    guard case .name(let name)? = named?.host, !route.names.contains(.name(name)),
      self.requestedHosts.known[name] == nil
    else { return false }
    guard self.requestedHosts.known.count < RequestedHosts.most else {
      let detail = "more than \(RequestedHosts.most) hosts on one connection"
      self.requestedHosts.known[name] = .failure(
        FlowFailure(.overLimit, origin: .downstream, detail: detail)
      )
      return false
    }
    self.requestedHosts.awaited = (name, self.now.instant)
    self.pause(.down, .waiting)
    self.commands.append(.resolve(name))
    return true
  }

  /// A request's host was looked up, or could not be: what waited for it goes on.
  func requestedHostResolved(_ name: Hostname, _ result: Result<Resolution, FlowFailure>) {
    guard let awaited = self.requestedHosts.awaited, awaited.name == name else { return }
    if case .success(let resolution) = result {
      self.record(.lookedUp(self.id, name, resolution, time: self.now.wall))
    }
    self.requestedHosts.known[name] = result
    self.requestedHosts.awaited = nil
    guard let multiplex = self.multiplex else { return }  // HTTP/1's parts go on after each event
    let frames = self.requestedHosts.frames
    self.requestedHosts.frames = []
    self.handleDevice(frames, multiplex)
    guard self.requestedHosts.awaited == nil else { return }
    self.resume(.down, .waiting)
    let bytes = self.requestedHosts.bytes
    self.requestedHosts.bytes = Bytes()
    if !bytes.isEmpty, case .relaying = self.stage { self.receivedDeviceFrames(bytes) }
  }

  func tickRequestedHost() {
    guard let awaited = self.requestedHosts.awaited,
      self.hasPassed(self.context.timeouts.dns, since: awaited.since)
    else { return }
    self.requestedHostResolved(awaited.name, .failure(Self.lateAnswer(for: awaited.name)))
  }

  /// Where a request leads besides its connection's destination; nil if nowhere else.
  func requestedHost(_ destination: RequestDestination, _ route: Route) -> RequestedHost? {
    guard let host = destination.named?.host, route.isTunnel, !route.names.contains(host) else {
      return nil
    }
    let policy = self.context.policy
    switch host {
    case .address(let address): return RequestedHost(candidates: [policy.candidate(address)])
    case .name(let name):
      switch self.requestedHosts.known[name] {
      case .success(let resolution)?:
        return RequestedHost(
          candidates: resolution.addresses.map(policy.candidate),
          aliases: resolution.aliases
        )
      case .failure(let failure)?: return RequestedHost(failure: failure)
      case nil: return RequestedHost()  // nobody is dialled, or nobody asks
      }
    }
  }

  /// Judges a request by its own host alone, which the connection's may not hide; false if it was stopped.
  func judgeRequestedHost(_ exchange: Exchange, _ route: Route) -> Bool {
    guard let requested = exchange.requestedHost, case .upstream = route.answerer else {
      return true
    }
    let host = exchange.hosts.last.map(\.description) ?? ""
    self.note(exchange, "the request is for \(host), the connection for \(route.leafHost)")
    if let failure = requested.failure, !self.mayStayUnknown(failure) {
      let detail = "nobody can say where \(host) leads: \(failure.detail)"
      self.fail(exchange, FlowFailure(.misdirected, origin: .downstream, detail: detail))
      return false
    }
    // So that `candidates: allowed-only` asks whether this host has an address left.
    let rule = exchange.policy.blockingRule(
      for: MessageFacts(
        device: self.judgedDevice,
        hosts: exchange.hosts,
        aliases: route.aliases + requested.aliases,
        port: route.facts.authority.port,
        address: nil,
        candidates: requested.candidates
      )
    )
    guard let rule else { return true }
    let verdict = Verdict(decided: .block, applied: .block, rule: rule)
    exchange.merge(verdict)
    self.block(exchange.request, exchange, verdict)
    return false
  }

  /// Whether a name that only adds verdicts may go without them.
  ///
  /// That there is no such name is an answer. That nobody answers is none: enforcing modes do not go on.
  func mayStayUnknown(_ failure: FlowFailure) -> Bool {
    !self.context.isEnforcing || failure.code == .nameNotFound
  }

  static func lateAnswer(for name: some CustomStringConvertible) -> FlowFailure {
    FlowFailure(.resolverFailed, origin: .upstream, detail: "no answer for \(name) in time")
  }
}
