import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// From an authority to a connected upstream: resolve once, judge all, dial only what is permitted.
extension ConnectionMachine {
  /// Begins the way to a destination; what the device sends meanwhile stays in its own buffers.
  func beginWay(to destination: Destination) {
    self.closeUpstream(.afterFlush)
    self.route = nil
    switch destination.authority.host {
    case .name(let name) where self.context.site.isOwn(name):
      self.beginOwnWay(destination, name: name)
    case .name(let name):
      self.stage = .resolving(destination, since: self.now.instant)
      self.pause(.down, .waiting)
      self.commands.append(.resolve(name))
    case .address: self.decide(destination)
    }
  }

  private func beginOwnWay(_ destination: Destination, name: Hostname) {
    guard !self.isOwn else {
      self.refuse(
        destination,
        FlowFailure(.loop, origin: .internal, detail: "\(name) is this proxy"),
        rule: nil
      )
      return
    }
    switch destination.purpose {
    case .forward: self.beginOwnExchange(host: .name(name))
    case .tunnel:
      self.accept(
        Tunnel(
          authority: destination.authority,
          answerer: .site,
          decision: nil,
          target: nil
        )
      )
    }
  }

  func resolved(_ name: Hostname, _ result: Result<Resolution, FlowFailure>) {
    switch self.stage {
    case .resolving(let destination, _):
      guard destination.authority.host == .name(name) else { return }
      switch result {
      case .success(let resolution):
        self.record(.lookedUp(self.id, name, resolution, time: self.now.wall))
        var destination = destination
        destination.resolution = resolution
        self.decide(destination)
      case .failure(let failure): self.refuse(destination, failure, rule: nil)
      }
    case .resolvingServerName(let tunnel, let hello, _):
      guard hello.serverName == name else { return }
      self.serverNameResolved(tunnel, hello, result)
    case .relaying: self.requestedHostResolved(name, result)
    case .awaitingRequest, .authenticating, .dialling, .awaitingHello, .securingUpstream,
      .settlingUpstream, .securingClient, .sniffing, .tunnelling, .draining, .closed:
      return
    }
  }

  /// Decides on a destination whose addresses are known: the one place from which anything is dialled.
  func decide(_ destination: Destination) {
    var destination = destination
    let decision = self.context.policy.decideConnect(
      ConnectRequest(
        device: self.judgedDevice,
        authority: destination.authority,
        resolved: destination.resolution?.addresses ?? [],
        aliases: destination.aliases
      )
    )
    destination.decision = decision
    self.record(
      .destinationDecided(
        self.id,
        authority: destination.authority,
        candidates: decision.candidates,
        decision: decision.outcome.name,
        rule: decision.verdict.rule,
        time: self.now.wall
      )
    )
    switch decision.outcome {
    case .dial(let targets): self.dial(destination, targets)
    case .sinkhole(let rule):
      switch destination.purpose {
      case .tunnel:
        self.accept(
          Tunnel(
            authority: destination.authority,
            answerer: .sinkhole(rule),
            decision: decision,
            target: nil,
            aliases: destination.aliases
          )
        )
      case .forward: self.forward(destination, answerer: .sinkhole(rule), target: nil)
      }
    case .refuse(let refusal):
      self.refuse(destination, FlowFailure(refusal), rule: refusal.rule)
    }
  }

  private func dial(_ destination: Destination, _ targets: [PinnedTarget]) {
    guard let target = targets.first else {
      self.refuse(
        destination,
        FlowFailure(.nameNotFound, origin: .upstream, detail: "the name has no address"),
        rule: nil
      )
      return
    }
    self.stage = .dialling(destination, targets: targets, since: self.now.instant)
    self.pause(.down, .waiting)
    self.commands.append(.open(self.nextUpstream(), target))
  }

  func opened(_ result: Result<IPAddress, FlowFailure>) {
    guard case .dialling(let destination, let targets, _) = self.stage, let target = targets.first
    else { return }
    switch result {
    case .success(let peer) where peer.unmapped == target.address.unmapped:
      self.upstreamIsOpen()
      switch destination.purpose {
      case .tunnel:
        self.accept(
          Tunnel(
            authority: destination.authority,
            answerer: .upstream,
            decision: destination.decision,
            target: target,
            aliases: destination.aliases
          )
        )
      case .forward: self.forward(destination, answerer: .upstream, target: target)
      }
    case .success(let peer):
      self.upstreamIsOpen()
      self.closeUpstream(.abort)
      self.refuse(
        destination,
        FlowFailure(
          .wrongPeer,
          origin: .upstream,
          detail: "connected to \(peer), but \(target.address) was decided on"
        ),
        rule: nil
      )
    case .failure(let failure): self.dialFailed(destination, targets, failure)
    }
  }

  func dialFailed(_ destination: Destination, _ targets: [PinnedTarget], _ failure: FlowFailure) {
    self.closeUpstream(.abort)
    if targets.count > 1 {
      self.dial(destination, Array(targets.dropFirst()))
    } else {
      self.refuse(destination, failure, rule: nil)
    }
  }

  /// Answers CONNECT with 200 and waits for the device's hello.
  private func accept(_ tunnel: Tunnel) {
    self.down.output += Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)
    self.flushDownstream()  // in plain text, before there may be a session
    self.helloParser = ClientHelloParser(limits: self.context.limits)
    self.stage = .awaitingHello(tunnel, since: self.now.instant)
    self.resume(.down, .waiting)
    let leftover = self.deviceCodec.takeLeftover()
    self.requestParts.removeAll()
    self.openTap(inTunnel: leftover)
    if !leftover.isEmpty { self.receivedHello(leftover) }
  }

  /// Lets the absolute-form request that waits go through.
  private func forward(_ destination: Destination, answerer: Answerer, target: PinnedTarget?) {
    let treatment: FlowTreatment = target == nil ? .sinkhole : .intercepted
    self.serverCodec = HTTP1Codec(role: .client, limits: self.context.limits)
    self.route = Route(
      answerer: answerer,
      facts: self.facts(
        authority: destination.authority,
        serverName: nil,
        candidates: destination.decision?.candidates ?? [],
        target: target,
        treatment: treatment,
        scheme: "http"
      ),
      names: [destination.authority.host],
      aliases: destination.aliases,
      leafHost: destination.authority.host,
      isSecure: false,
      isTunnel: false
    )
    self.stage = .relaying
    self.resume(.down, .waiting)
    self.processRequestParts()
  }

  /// The destination cannot or must not be reached: says why, records it, ends the connection.
  func refuse(_ destination: Destination, _ failure: FlowFailure, rule: RuleID?) {
    let head = self.head(of: destination)
    self.recordRefusal(destination, failure, status: failure.status)
    self.answer(
      failure,
      authority: destination.authority.description,
      rule: rule,
      region: destination.decision.map { Self.region(of: $0.candidates).name },
      fields: head?.fields ?? HeaderFields(),
      toHead: head?.method == "HEAD"
    )
  }

  /// The request that the way is made for.
  private func head(of destination: Destination) -> MessageHead? {
    switch destination.purpose {
    case .tunnel(let head): return head
    case .forward:
      guard case .head(let head) = self.requestParts.first else { return nil }
      return head
    }
  }

  /// Records the flow of a destination that was not reached.
  func recordRefusal(_ destination: Destination, _ failure: FlowFailure, status: Int) {
    let head = self.head(of: destination)
    self.recordRefusal(
      authority: destination.authority,
      candidates: destination.decision?.candidates ?? [],
      target: nil,
      serverName: nil,
      method: head?.method.text ?? "",
      url: head?.target.text ?? destination.authority.description,
      status: status,
      verdict: destination.decision?.verdict ?? .pass,
      failure: failure
    )
  }

  /// Records a flow that never came to be.
  func recordRefusal(
    authority: Authority,
    candidates: [Candidate],
    target: PinnedTarget?,
    serverName: Hostname?,
    method: String,
    url: String,
    status: Int,
    verdict: Verdict,
    failure: FlowFailure,
    protocolName: String? = nil
  ) {
    let flow = self.context.numbering.flow()
    let facts = self.facts(
      authority: authority,
      serverName: serverName,
      candidates: candidates,
      target: target,
      treatment: .refused,
      scheme: method == "CONNECT" ? "https" : "http"
    )
    self.record(
      .flowStarted(
        FlowStart(
          flow: flow,
          facts: facts,
          time: self.now.wall,
          method: method,
          url: url,
          protocolName: protocolName ?? (method == "CONNECT" ? "tls" : "http/1.1")
        )
      )
    )
    self.record(
      .flowEnded(
        FlowEnd(
          flow: flow,
          time: self.now.wall,
          status: status,
          requestBytes: 0,
          responseBytes: 0,
          findings: 0,
          verdict: verdict,
          exposure: nil,
          failure: failure
        )
      )
    )
  }
}
