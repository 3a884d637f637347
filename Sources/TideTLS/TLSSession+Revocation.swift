import COpenSSL
public import TideCore

extension TLSSession {
  /// The most certificates of a chain that somebody is asked about.
  private static let mostQueries = 4

  /// What a staple or a list has not settled: to be asked before a byte of the client's request leaves.
  ///
  /// Empty unless revocation is to be fetched and the handshake is over with a chain that is trusted:
  /// whoever is not must not have us contact anybody. Leaf first, the anchor never. Of a resumed session
  /// too, whose answers are due again as those of any other.
  public var revocationQueries: [RevocationQuery] {
    guard case .client(let context) = self.role, case .fetch = context.revocation,
      self.isEstablished, self.peerRecord.verification?.isTrusted == true
    else { return [] }
    let record = self.peerRecord
    // Where all are vouched for, as in most resumed sessions, no certificate need be read.
    guard record.path.indices.dropLast().contains(where: { record.vouched[$0] == nil }) else {
      return []
    }
    let path = record.path.compactMap { try? X509Certificate.parse(der: $0.array) }
    // A path that was verified parses again.
    guard path.count == record.path.count else { return [] }
    var queries: [RevocationQuery] = []
    for (depth, (certificate, issuer)) in zip(path, path[1...]).enumerated()
    where record.vouched[depth] == nil && queries.count < Self.mostQueries {
      let query = RevocationPoints.query(about: certificate, by: issuer, depth: depth)
      if let query { queries.append(query) }
    }
    return queries
  }

  /// Reads the answer to a query of this session, and updates `facts.peer?.revocation` by it.
  ///
  /// - Parameters:
  ///   - answer: the body of the HTTP response, or what was kept of an earlier one.
  ///   - query: what was asked.
  ///   - now: the time, by which the answer must be good.
  /// - Returns: what it says. A certificate that is revoked must not be spoken to: close the session,
  ///   and end the client's handshake as for `TLSFailure.revoked`.
  public func judge(
    _ answer: Bytes,
    to query: RevocationQuery,
    at now: WallTime
  ) -> RevocationAnswer {
    let path = self.peerRecord.path
    guard case .client(let context) = self.role, path.indices.contains(query.depth),
      path.indices.contains(query.depth + 1),
      let certificate = try? X509Certificate.parse(der: path[query.depth].array),
      let issuer = try? X509Certificate.parse(der: path[query.depth + 1].array),
      RevocationPoints.query(about: certificate, by: issuer, depth: query.depth) == query
    else { return .unusable("the query is not this session's") }
    guard answer.count <= query.largestAnswer else {
      return self.note(.unusable("the answer has \(answer.count) bytes"), to: query)
    }
    guard query.ocspRequest == nil else {
      return self.note(Self.statusAnswer(answer, certificate, issuer, now), to: query)
    }
    let found = context.answer(
      ofList: answer,
      named: query.cacheName,
      on: certificate,
      by: issuer,
      at: now,
      isVerified: self.peerRecord.verification?.isTrusted == true
    )
    return self.note(Self.listAnswer(found, now), to: query)
  }

  /// Notes in `facts.peer?.revocation` that somebody was asked in vain; its status stays what it is.
  ///
  /// - Parameters:
  ///   - query: what was asked.
  ///   - reason: why there is no answer, for people.
  public func noteUnanswered(_ query: RevocationQuery, _ reason: String) {
    let source = query.ocspRequest == nil ? "crl" : "ocsp"
    let place = Self.short(query.url)
    self.peerRecord.note(nil, source: nil, "\(source) \(place): no answer: \(Self.short(reason))")
  }

  /// A text for a record: cut, because a certificate's issuer chose it.
  private static func short(_ text: String) -> String {
    text.count > 200 ? text.prefix(200) + "…" : text
  }

  private static func statusAnswer(
    _ answer: Bytes,
    _ certificate: X509Certificate,
    _ issuer: X509Certificate,
    _ now: WallTime
  ) -> RevocationAnswer {
    guard let response = StatusResponse.parse(der: answer) else {
      return .unusable("it is not an OCSP response")
    }
    switch response.answer(on: certificate, by: issuer, at: now) {
    case .good(let until): return .good(until: Self.bounded(until, now))
    case .revoked(let reason): return .revoked(reason)
    case .silent(let reason), .defective(let reason): return .unusable(reason)
    }
  }

  private static func listAnswer(
    _ answer: RevocationList.Answer?,
    _ now: WallTime
  ) -> RevocationAnswer {
    switch answer {
    case nil: return .unusable("it is not a certificate revocation list")
    case .good(let until): return .good(until: Self.bounded(until, now))
    case .revoked(let reason): return .revoked(reason)
    case .unrelated: return .unusable("it does not cover the certificate")
    case .forged: return .unusable("it is not signed by the certificate's issuer")
    case .stale(let reason), .unusable(let reason): return .unusable(reason)
    }
  }

  /// An answer's end, or a week if that is earlier: who made it may have learned better by then.
  private static func bounded(_ until: WallTime, _ now: WallTime) -> WallTime {
    min(until, now.advanced(bySeconds: RevocationTimes.longest))
  }

  private func note(_ answer: RevocationAnswer, to query: RevocationQuery) -> RevocationAnswer {
    let source = query.ocspRequest == nil ? "crl" : "ocsp"
    let place = "\(source), depth \(query.depth)"
    switch answer {
    case .good(let until):
      self.peerRecord.vouch(for: query.depth, until: until, source: source)
    case .revoked(let reason):
      self.peerRecord.note(.revoked, source: source, "\(place): revoked \(reason)")
      self.endSessions(withRevoked: query.depth)
    case .unusable(let reason):
      self.peerRecord.note(nil, source: nil, "\(place): \(reason)")
    }
    return answer
  }
}

extension TLSFailure {
  /// The failure of a session whose upstream turned out to be revoked after its handshake.
  public static func revoked(_ reason: String) -> TLSFailure {
    TLSFailure(
      .untrusted,
      detail: "certificate revoked (\(X509_V_ERR_CERT_REVOKED)): \(reason)",
      verifyError: Int(X509_V_ERR_CERT_REVOKED)
    )
  }
}
