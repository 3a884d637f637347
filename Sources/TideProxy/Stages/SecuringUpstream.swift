import TideCore
import TideHTTP
import TidePolicy
import TideTLS

/// The server's handshake: ours as a client, finished before the device is shown anything.
extension ConnectionMachine {
  func secureUpstream(_ tunnel: Tunnel, _ hello: HelloFacts) {
    // The server chooses from what the device offers, so that both legs speak the same. Names that are
    // not text (a browser's grease) have lost their bytes, and mean nothing to a server anyway.
    let offered = hello.applicationProtocols.filter { name in
      !name.isEmpty && name.utf8.count < 256 && !Self.isOtherHTTP(name)
        && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
    do throws(TLSFailure) {
      self.up.tls = try TLSSession.client(
        self.context.upstreamTLS,
        host: Self.leafHost(tunnel, hello),
        applicationProtocols: offered,
        resuming: tunnel.target.map { target in
          Resumption(
            device: self.device,
            address: target.address,
            port: target.authority.port,
            now: self.now.wall
          )
        }
      )
    } catch {
      self.alert(
        TLSAlert.internalError,
        tunnel,
        hello,
        FlowFailure(.internalError, origin: .internal, detail: error.detail)
      )
      return
    }
    self.stage = .securingUpstream(tunnel, hello, since: self.now.instant)
    self.pause(.down, .waiting)
    let early = self.earlyServerBytes
    self.earlyServerBytes = Bytes()
    if !early.isEmpty { self.continueUpstreamHandshake(early, tunnel, hello) }
  }

  /// Whether a protocol is HTTP by a name, or in a draft, under which nobody here would read it.
  ///
  /// Some servers still take `h2-14` and mean HTTP/2: as a stream it would meet no rule on requests.
  private static func isOtherHTTP(_ name: String) -> Bool {
    switch name {
    case "h2", "http/1.1", "http/1.0": false
    default: ["h2", "http/", "spdy/"].contains { name.hasPrefix($0) }
    }
  }

  func receivedUpstream(_ bytes: Bytes) {
    switch self.stage {
    case .securingUpstream(let tunnel, let hello, _):
      self.continueUpstreamHandshake(bytes, tunnel, hello)
    case .settlingUpstream(let check): self.receivedMeanwhile(bytes, check)
    case .securingClient, .sniffing, .relaying, .awaitingRequest, .authenticating:
      self.receivedResponse(bytes)
    case .tunnelling: self.relayTunnel(bytes, direction: .response)
    case .awaitingHello(let tunnel, _):
      // A server that speaks first before the device says anything: not TLS.
      self.earlyServerBytes.append(bytes)
      self.notTLS(tunnel, self.helloParser.raw)
    case .resolvingServerName: self.earlyServerBytes.append(bytes)
    case .resolving, .dialling, .draining, .closed: return
    }
  }

  private func continueUpstreamHandshake(_ bytes: Bytes, _ tunnel: Tunnel, _ hello: HelloFacts) {
    guard let tls = self.up.tls else { return }
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try tls.receive(bytes, &plaintext)
    } catch {
      self.upstreamHandshakeFailed(error, tunnel, hello)
      return
    }
    guard tls.isEstablished else { return }
    for part in plaintext { self.earlyServerBytes.append(part) }
    self.settleUpstream(tunnel, hello, tls)
  }

  /// What was open is settled: the device's turn.
  func upstreamIsSecure(_ tunnel: Tunnel, _ hello: HelloFacts, _ tls: TLSSession) {
    let facts = self.recordUpstream(tls, at: Self.leafHost(tunnel, hello))
    self.secureClient(tunnel, hello, upstream: facts)
  }

  /// Gives up on a server that did not finish its handshake, and says so to the device in its own.
  func upstreamHandshakeEnded(_ tunnel: Tunnel, _ hello: HelloFacts, _ detail: String) {
    if let tls = self.up.tls { self.recordUpstream(tls, at: Self.leafHost(tunnel, hello)) }
    self.alert(
      TLSAlert.handshakeFailure,
      tunnel,
      hello,
      FlowFailure(.upstreamHandshake, origin: .upstream, detail: detail)
    )
  }

  /// Records an upstream's handshake, well or badly ended, and counts what is unusual in it.
  @discardableResult
  func recordUpstream(_ tls: TLSSession, at host: Host) -> HandshakeFacts {
    let facts = tls.facts
    self.recordHandshake(facts)
    if let peer = facts.peer { self.cover(peer, at: host) }
    return facts
  }

  /// Counts what is unusual in an upstream.
  private func cover(_ peer: HandshakeFacts.Peer, at host: Host) {
    if peer.isPublicAnchor == false {
      let root = peer.anchor ?? "one without a name"
      self.cover(
        .privateRoot,
        nil,
        "the chain of \(host) ends in a root that is not public: \(root)"
      )
    }
    if peer.wantsClientCertificate {
      let answer = peer.gotClientCertificate ? "got the one of tls.client_certs" : "got none"
      self.cover(.clientCertificate, nil, "\(host) asked for a client certificate and \(answer)")
    }
  }

  func recordHandshake(_ facts: HandshakeFacts) {
    self.context.statistics.count(facts)
    self.record(.handshake(self.id, facts, time: self.now.wall))
  }

  func upstreamHandshakeFailed(
    _ error: TLSFailure,
    _ tunnel: Tunnel,
    _ hello: HelloFacts
  ) {
    if let tls = self.up.tls { self.recordUpstream(tls, at: Self.leafHost(tunnel, hello)) }
    let code: FlowFailure.Code =
      error.verifyError == nil ? .upstreamHandshake : .untrustedUpstream
    self.flushUpstream()  // the alert that our side owes the server
    self.alert(
      alertForClient(error),
      tunnel,
      hello,
      FlowFailure(code, origin: .upstream, detail: error.detail)
    )
  }
}
