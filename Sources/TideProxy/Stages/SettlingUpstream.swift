import TideCore
import TideHTTP
import TideTLS

/// What is still to be known of an upstream whose handshake is over, while the device waits.
final class UpstreamSettlement {
  var tunnel: Tunnel
  let hello: HelloFacts
  let tls: TLSSession
  /// When the waiting began.
  var since: Instant
  /// What was asked about its revocation and not answered.
  var pending: [FetchID: RevocationQuery] = [:]
  /// Whether it asked for a client certificate, got none, and has not said what it makes of that.
  var awaitsServer: Bool

  init(tunnel: Tunnel, hello: HelloFacts, tls: TLSSession, since: Instant) {
    self.tunnel = tunnel
    self.hello = hello
    self.tls = tls
    self.since = since
    // In TLS 1.3 it says so after our side of the handshake is over (RFC 8446 §4.4.2.4).
    self.awaitsServer =
      tls.negotiatedVersion >= 0x0304 && tls.wantsClientCertificate && !tls.gotClientCertificate
  }
}

/// Between the server's handshake and the device's: what has to be known before a padlock may be shown.
///
/// - Revocation that neither a staple nor a list has settled (`tls.revocation: fetch`). Soft on failure: an
///   answer that does not come, or is of no use, is noted with the handshake. Hard on a definite "revoked".
/// - Whether a server that asked for a client certificate does without one. Most say so at once, by an
///   alert or by a ticket.
extension ConnectionMachine {
  /// How long the device is made to wait for answers about revocation, all together.
  static let revocationTime: UInt64 = 5_000_000_000
  /// How long for a server to say whether it insists on a certificate.
  static let insistenceTime: UInt64 = 1_000_000_000
  /// Asks what is to be asked; without questions, or with the answers at hand, goes on at once.
  func settleUpstream(_ tunnel: Tunnel, _ hello: HelloFacts, _ tls: TLSSession) {
    let open = UpstreamSettlement(tunnel: tunnel, hello: hello, tls: tls, since: self.now.instant)
    for query in tls.revocationQueries {
      if let kept = self.context.revocations?.answer(named: query.cacheName) {
        switch tls.judge(kept, to: query, at: self.now.wall) {
        case .good: continue
        case .revoked(let detail):
          if self.refusesRevoked(open, detail) { return }
          continue
        case .unusable: break
        }
      }
      guard let request = Self.request(for: query) else {
        tls.noteUnanswered(query, "not a URL that can be asked")
        continue
      }
      self.fetchCount += 1
      let id = FetchID(self.fetchCount)
      open.pending[id] = query
      let limit = self.context.limits.headBytes + query.largestAnswer
      self.commands.append(.fetch(id, request: request, limit: limit, onBehalf: self.device))
    }
    self.stage = .settlingUpstream(open)
    self.goOn(open)
  }

  /// An answer came, or none will.
  func fetched(_ id: FetchID, _ result: Result<Bytes, FlowFailure>) {
    guard case .settlingUpstream(let open) = self.stage,
      let query = open.pending.removeValue(forKey: id)
    else { return }
    switch result {
    case .failure(let failure): open.tls.noteUnanswered(query, failure.detail)
    case .success(let response):
      guard let answer = self.content(of: response) else {
        open.tls.noteUnanswered(query, "no 200 with content")
        break
      }
      switch open.tls.judge(answer, to: query, at: self.now.wall) {
      case .good(let until):
        self.context.revocations?.keep(answer, named: query.cacheName, until: until)
      case .revoked(let detail):
        // Kept as long as such answers are: to be revoked does not pass.
        self.context.revocations?.keep(
          answer,
          named: query.cacheName,
          until: self.now.wall.advanced(bySeconds: 86_400)
        )
        if self.refusesRevoked(open, detail) { return }
      case .unusable: break
      }
    }
    self.goOn(open)
  }

  /// Waits no longer than it is worth: what has not come is unknown.
  func tickSettlement(_ open: UpstreamSettlement) {
    if self.hasPassed(Self.revocationTime, since: open.since) {
      for query in open.pending.values { open.tls.noteUnanswered(query, "not in time") }
      open.pending.removeAll()
    }
    if self.hasPassed(Self.insistenceTime, since: open.since) { open.awaitsServer = false }
    self.goOn(open)
  }

  /// Goes on with the device's side once nothing is open.
  private func goOn(_ open: UpstreamSettlement) {
    guard open.pending.isEmpty, !open.awaitsServer else {
      // Who is waited for is heard; anyone else may talk before it is asked, one read at most.
      if open.awaitsServer { self.resume(.up, .waiting) } else { self.pause(.up, .waiting) }
      return
    }
    self.resume(.up, .waiting)
    self.upstreamIsSecure(open.tunnel, open.hello, open.tls)
  }

  /// The server speaks before the device's side is ready.
  func receivedMeanwhile(_ bytes: Bytes, _ open: UpstreamSettlement) {
    var plaintext: [Bytes] = []
    do throws(TLSFailure) {
      try open.tls.receive(bytes, &plaintext)
    } catch {
      self.upstreamHandshakeFailed(error, open.tunnel, open.hello)
      return
    }
    for part in plaintext { self.earlyServerBytes.append(part) }
    // A ticket, or data: it does without.
    open.awaitsServer = false
    self.goOn(open)
  }

  /// Refuses a chain with a revoked certificate, unless the operator lets untrusted servers through.
  ///
  /// - Returns: whether it is refused.
  private func refusesRevoked(_ open: UpstreamSettlement, _ detail: String) -> Bool {
    switch self.context.untrustedUpstreams {
    case .mirror, .accept: return false  // the facts say so, and `secureClient` acts on them
    case .refuse: break
    }
    self.resume(.up, .waiting)
    self.upstreamHandshakeFailed(TLSFailure.revoked(detail), open.tunnel, open.hello)
    return true
  }

  // MARK: HTTP

  /// A whole request for an answer; nil if its URL cannot be asked.
  private static func request(for query: RevocationQuery) -> Bytes? {
    let prefix = "http://"
    guard query.url.hasPrefix(prefix),
      query.url.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    let authority = query.url.dropFirst(prefix.count).prefix { $0 != "/" && $0 != "?" }
    guard !authority.isEmpty else { return nil }
    let method = query.ocspRequest == nil ? "GET" : "POST"
    var head = "\(method) \(query.url) HTTP/1.1\r\nHost: \(authority)\r\nConnection: close\r\n"
    head += "User-Agent: tidewaiter\r\nAccept-Encoding: identity\r\n"
    if let body = query.ocspRequest {
      head += "Content-Type: application/ocsp-request\r\nContent-Length: \(body.count)\r\n"
    }
    var request = Bytes(head + "\r\n")
    if let body = query.ocspRequest { request.append(body) }
    return request
  }

  /// The content of a successful response; nil of any other.
  private func content(of response: Bytes) -> Bytes? {
    var codec = HTTP1Codec(role: .client, limits: self.context.limits)
    var parts: [MessagePart] = []
    codec.expectResponse(toMethod: "GET")
    do throws(HTTPFailure) {
      try codec.receive(response, &parts)
      try codec.receiveEnd(&parts)
    } catch {
      return nil
    }
    var content = Bytes()
    var isWhole = false
    for part in parts {
      switch part {
      case .head(let head): guard head.status == 200 else { return nil }
      case .body(let bytes): content.append(bytes)
      case .trailers: continue
      case .end: isWhole = true
      }
    }
    return isWhole ? content : nil
  }
}
