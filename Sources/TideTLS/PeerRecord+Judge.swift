import COpenSSL
import TideCore

extension PeerRecord {
  /// Judges every certificate of the path but the anchor by the configured lists.
  ///
  /// A list that is missing or out of date is no reason to refuse; one that carries the name of a
  /// CA of the path and not its signature is: whoever configured it wants it to count.
  ///
  /// - Parameters:
  ///   - path: leaf first, the anchor last.
  ///   - isVerified: whether each was verified to be of the next.
  ///   - context: whose lists.
  ///   - now: the time.
  /// - Returns: why the chain is not to be trusted; nil if the lists do not speak against it.
  mutating func judge(
    _ path: [X509Certificate],
    isVerified: Bool,
    by context: TLSClientContext,
    at now: WallTime
  ) -> Defect? {
    guard !context.lists.isEmpty else { return nil }
    var defect: Defect?
    for (depth, (certificate, issuer)) in zip(path, path.dropFirst()).enumerated() {
      // A CA's list may be configured in a hundred parts, of which one covers the certificate.
      var unused: [(reason: String, origin: String, others: Int)] = []
      for (index, list) in context.lists.enumerated() {
        let answer = context.answer(
          ofList: index,
          on: certificate,
          by: issuer,
          at: now,
          isVerified: isVerified
        )
        let place = "\(list.origin), depth \(depth)"
        switch answer {
        case .unrelated:
          break
        case .good(let until):
          self.vouch(for: depth, until: until, source: "crl")
        case .stale(let reason):
          self.note(nil, source: "crl", "\(place): \(reason)")
        case .unusable(let reason):
          if let position = unused.firstIndex(where: { $0.reason == reason }) {
            unused[position].others += 1
          } else {
            unused.append((reason, list.origin, 0))
          }
        case .revoked(let reason):
          self.note(.revoked, source: "crl", "\(place): revoked \(reason)")
          defect =
            defect ?? Defect(Int(X509_V_ERR_CERT_REVOKED), "\(list.origin) \(reason)", depth: depth)
        case .forged:
          let remark = "\(list.origin) is not signed by \(issuer.shortSubject), whose name it has"
          self.note(nil, source: nil, remark)
          defect = defect ?? Defect(Int(X509_V_ERR_CRL_SIGNATURE_FAILURE), remark, depth: depth)
        }
      }
      for (reason, origin, others) in unused {
        let name = others == 0 ? origin : "\(origin) and \(others) more"
        self.note(nil, source: nil, "\(name), depth \(depth): \(reason)")
      }
    }
    return defect
  }

  /// Judges the path's leaf by the staple, or by there being none.
  ///
  /// - Returns: why the chain is not to be trusted; nil if the staple does not speak against it.
  mutating func judge(_ path: [X509Certificate], by staple: Bytes?, at now: WallTime) -> Defect? {
    // A leaf that is an anchor itself is its own issuer.
    guard let leaf = path.first, let issuer = path.prefix(2).last else { return nil }
    guard path.count > 1 || self.verification?.isTrusted == true else {
      if staple != nil { self.note(nil, source: nil, "the staple: its issuer is not known") }
      return nil
    }
    let isDemanded = path.dropLast(path.count > 1 ? 1 : 0).contains(where: \.demandsStaple)
    let missing: String
    if let staple {
      let answer =
        StatusResponse.parse(der: staple)?.answer(on: leaf, by: issuer, at: now)
        ?? .defective("it is not an OCSP response")
      switch answer {
      case .good(let until):
        if isDemanded { self.demandedStaple = until }
        self.vouch(for: 0, until: until, source: "staple")
        return nil
      case .revoked(let reason):
        self.note(.revoked, source: "staple", "the staple: revoked \(reason)")
        return Defect(Int(X509_V_ERR_CERT_REVOKED), "the staple says so, \(reason)")
      case .defective(let reason):
        self.note(nil, source: nil, "the staple: \(reason)")
        return Defect(Int(X509_V_ERR_OCSP_VERIFY_FAILED), "the staple: \(reason)")
      case .silent(let reason):
        self.note(nil, source: nil, "the staple: \(reason)")
        missing = "the staple is no answer: \(reason)"
      }
    } else {
      missing = "there is none"
    }
    guard isDemanded else { return nil }
    let remark = "the certificate demands a good staple (RFC 7633), and \(missing)"
    self.note(nil, source: nil, remark)
    return Defect(Int(X509_V_ERR_OCSP_VERIFY_NEEDED), remark)
  }

  /// Notes that somebody who knows vouches for a certificate; the leaf's voucher is the status.
  mutating func vouch(for depth: Int, until: WallTime, source: String) {
    self.vouched[depth] = max(self.vouched[depth] ?? until, until)
    self.note(
      depth == 0 ? .good : nil,
      source: source,
      depth == 0 ? "good until \(until.rfc3339)" : ""
    )
  }
}
