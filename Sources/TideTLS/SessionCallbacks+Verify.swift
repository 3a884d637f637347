import COpenSSL
import TideCore

extension SessionCallbacks {
  /// Verifies the upstream's chain: by OpenSSL, then against our own CAs and the revocation lists.
  static func verify(_ store: OpaquePointer?) -> Int32 {
    // libssl takes what is left here for its own failure.
    defer { ErrorQueue.clear() }
    let slot = SSL_get_ex_data_X509_STORE_CTX_idx()
    let ssl = unsafe X509_STORE_CTX_get_ex_data(store, slot).map { OpaquePointer($0) }
    guard let session = unsafe Self.session(of: ssl), case .client(let context) = session.role
    else {
      return 0
    }
    var record = PeerRecord()
    // Taken here, because libssl forgets the chain when its verification fails.
    let sent = unsafe X509_STORE_CTX_get0_untrusted(store)
    record.chain = unsafe X509Certificate.list(sent).map { Bytes($0.der) }
    let isValid = unsafe X509_verify_cert(store) == 1
    let path = unsafe X509Certificate.list(X509_STORE_CTX_get0_chain(store))
    record.path = path.map { Bytes($0.der) }
    record.validity = Self.validity(of: path)
    var defect = unsafe isValid ? nil : Self.defect(store, path)
    if isValid, let anchor = path.last {
      record.anchor = anchor.shortSubject
      record.isPublicAnchor = unsafe context.publicRoots?.contains(anchor.handle)
      if path.contains(where: { context.refusedKeys.contains($0.keyDigest) }) {
        defect = Defect(Int(X509_V_ERR_CERT_REJECTED), "this proxy's own CA")
      } else if let depth = Self.otherPurpose(in: path) {
        let name = depth == 0 ? "" : "the issuer \(path[depth].shortSubject)"
        defect = Defect(Int(X509_V_ERR_INVALID_PURPOSE), name, depth: depth)
      }
    }
    switch context.revocation {
    case .off:
      record.revocation = HandshakeFacts.Revocation(status: .unchecked)
    case .staple, .fetch:
      record.revocation = HandshakeFacts.Revocation(status: .unknown)
      let found = record.judge(path, isVerified: isValid, by: context, at: .systemNow)
      defect = defect ?? found
    }
    if let defect {
      unsafe X509_STORE_CTX_set_error(store, Int32(truncatingIfNeeded: defect.error))
    }
    record.verification = Verification(
      error: defect?.error ?? Int(X509_V_OK),
      depth: defect?.depth ?? 0,
      remark: defect?.remark ?? "",
      isRefused: defect != nil && context.mode == .refuse
    )
    session.peerRecord = record
    return record.verification?.isRefused == true ? 0 : 1
  }

  /// Notes the timestamps and judges the staple, once the server has proved that it has the key.
  ///
  /// Called for every full handshake and, in TLS 1.3, for resumed ones, which staple nothing.
  ///
  /// - Returns: 0 to end the handshake with bad_certificate_status_response.
  static func status(_ ssl: OpaquePointer?) -> Int32 {
    // libssl takes what is left here for its own failure.
    defer { ErrorQueue.clear() }
    guard let session = unsafe Self.session(of: ssl), case .client(let context) = session.role
    else {
      return 0
    }
    guard unsafe SSL_session_reused(ssl) == 0 else { return 1 }
    var record = session.peerRecord
    record.timestamps = unsafe SignedTimestamps.read(SSL_get0_peer_scts(ssl))
    var start: UnsafePointer<UInt8>?
    let count = unsafe tide_ssl_status_response(ssl, &start)
    let staple =
      unsafe count > 0 ? start.map { unsafe Bytes(copying: .init(start: $0, count: count)) } : nil
    var defect: Defect?
    switch context.revocation {
    case .off:
      if staple != nil { record.note(nil, source: nil, "a staple was shown and not judged") }
    case .staple, .fetch:
      defect = record.judge(session.verifiedPath, by: staple, at: .systemNow)
    }
    if let defect, record.verification?.isTrusted != false {
      record.verification = Verification(
        error: defect.error,
        depth: defect.depth,
        remark: defect.remark,
        isRefused: context.mode == .refuse
      )
    }
    session.peerRecord = record
    return record.verification?.isRefused == true ? 0 : 1
  }

  /// What is wrong by OpenSSL, and with which certificate.
  private static func defect(_ store: OpaquePointer?, _ path: [X509Certificate]) -> Defect {
    let error = Int(unsafe X509_STORE_CTX_get_error(store))
    let depth = Int(unsafe X509_STORE_CTX_get_error_depth(store))
    guard depth > 0, depth < path.count else { return Defect(error, "", depth: depth) }
    let isRoot = unsafe depth >= Int(X509_STORE_CTX_get_num_untrusted(store))
    let name = "the \(isRoot ? "root" : "issuer") \(path[depth].shortSubject)"
    let isForm =
      (Int(X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA)...Int(X509_V_ERR_EC_KEY_EXPLICIT_PARAMS))
      .contains(error)
    return Defect(error, isForm ? "\(name) breaks RFC 5280, section 4.2" : name, depth: depth)
  }

  /// The first certificate of a path that is not one for servers; the anchor's purposes are what its
  /// store says, unless it is the server's own.
  private static func otherPurpose(in path: [X509Certificate]) -> Int? {
    path.indices.first { depth in
      (depth == 0 || depth < path.count - 1) && !path[depth].isForServers
    }
  }

  /// While all certificates of a path are in their time; empty for no path.
  private static func validity(of path: [X509Certificate]) -> Range<WallTime> {
    let end = path.map(\.notAfter).min() ?? WallTime(seconds: 0)
    let start = path.map(\.notBefore).max() ?? end
    return start < end ? start..<end : end..<end
  }
}

/// Why a chain is not trusted, before it is known what that leads to.
struct Defect {
  /// OpenSSL's `X509_V_ERR_…` number.
  let error: Int
  /// What OpenSSL's words do not say.
  let remark: String
  /// Which certificate of the path it is about.
  let depth: Int

  /// Joins a defect.
  init(_ error: Int, _ remark: String, depth: Int = 0) {
    self.error = error
    self.remark = remark
    self.depth = depth
  }
}
