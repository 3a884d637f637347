import COpenSSL
import TideCore

/// Owns one reference to an `X509_CRL`, which nobody changes any more.
@safe final class RevocationList {
  /// What a list says about a certificate.
  enum Answer {
    /// It is of another issuer.
    case unrelated
    /// It does not list the certificate, and will be renewed then.
    case good(until: WallTime)
    /// It does not list the certificate, but its time is over or has not come.
    case stale(String)
    /// It lists the certificate.
    case revoked(String)
    /// It carries the issuer's name but not its signature.
    case forged
    /// Nothing that could be relied on.
    case unusable(String)
  }

  /// What a list says about a certificate at any time.
  enum Verdict {
    /// It is of another issuer.
    case unrelated
    /// It covers the certificate and does not list it.
    case unlisted
    /// It lists the certificate.
    case revoked(String)
    /// It carries the issuer's name but not its signature.
    case forged
    /// Nothing that could be relied on.
    case unusable(String)
  }

  let handle: OpaquePointer
  /// Where it came from, for people.
  let origin: String

  /// Takes over a reference.
  private init(owning handle: OpaquePointer, origin: String) {
    unsafe self.handle = handle
    self.origin = origin
  }

  deinit { unsafe X509_CRL_free(self.handle) }

  /// Reads a list in DER; nil if it is not one, or more.
  static func parse(der: [UInt8], origin: String) -> RevocationList? {
    ErrorQueue.clear()
    defer { ErrorQueue.clear() }
    var taken = 0
    let handle = unsafe der.withUnsafeBufferPointer { buffer in
      var start = buffer.baseAddress
      let handle = unsafe d2i_X509_CRL(nil, &start, buffer.count)
      if let end = unsafe start, let first = buffer.baseAddress { taken = unsafe end - first }
      return unsafe handle
    }
    guard let handle = unsafe handle else { return nil }
    let list = unsafe RevocationList(owning: handle, origin: origin)
    return taken == der.count ? list : nil
  }

  /// Reads files, each of one or more lists in PEM or of one in DER.
  ///
  /// - Throws: `.certificate` for one that is neither or signed too weakly, by its place in the
  ///   configuration.
  static func parse(files: [[UInt8]]) throws(TLSFailure) -> [RevocationList] {
    var lists: [RevocationList] = []
    for (index, file) in files.enumerated() {
      let origin = "crls[\(index)]"
      if let list = Self.parse(der: file, origin: origin) {
        try list.checkSignature()
        lists.append(list)
        continue
      }
      guard let memory = MemoryBIO(copying: file) else { throw .drained(.internal, "memory") }
      let countBefore = lists.count
      ErrorQueue.clear()
      while let handle = unsafe PEM_read_bio_X509_CRL(memory.handle, nil, refusePassphrase, nil) {
        let list = unsafe RevocationList(owning: handle, origin: origin)
        try list.checkSignature()
        lists.append(list)
      }
      let isAtEnd = ErrorQueue.first.map { ERR_GET_REASON($0) == PEM_R_NO_START_LINE } ?? true
      guard isAtEnd, lists.count > countBefore else {
        throw .drained(.certificate, "\(origin) is no certificate revocation list in PEM or DER")
      }
      ErrorQueue.clear()
    }
    return lists
  }

  /// Refuses a list that would never be relied on: whoever configured it wants it to count.
  private func checkSignature() throws(TLSFailure) {
    guard let defect = self.signatureDefect else { return }
    ErrorQueue.clear()
    throw TLSFailure(.certificate, detail: "\(self.origin) cannot be relied on: \(defect)")
  }

  /// When it was made, and when the next one is due.
  var times: Times {
    let next = unsafe X509_CRL_get0_nextUpdate(self.handle)
    return unsafe Times(
      thisUpdate: WallTime(asn1: X509_CRL_get0_lastUpdate(self.handle)),
      nextUpdate: next.map { unsafe WallTime(asn1: $0) }
    )
  }

  /// Why its signature is not relied on, whoever made it; nil if it may be.
  var signatureDefect: String? {
    var algorithm: UnsafePointer<X509_ALGOR>?
    unsafe X509_CRL_get0_signature(self.handle, nil, &algorithm)
    return unsafe SignatureStrength.defect(algorithm)
  }

  /// Asks the list about `certificate`.
  ///
  /// OpenSSL judges whether the list covers the certificate (issuing distribution points, unknown
  /// critical extensions, the issuer's right to sign it), in a verification of its own, so that what it
  /// says never hides what is wrong with the chain. Times are judged by `Times`, and deltas here: some
  /// versions of OpenSSL, 3.0.19 among them, take one for a whole list.
  func verdict(on certificate: X509Certificate, by issuer: X509Certificate) -> Verdict {
    guard self.isRelated(to: issuer) else { return .unrelated }
    defer { ErrorQueue.clear() }
    switch self.error(about: certificate, by: issuer) {
    case X509_V_OK:
      guard self.hasReadableScope else {
        return .unusable("it cannot be read for which certificates it is")
      }
      guard !self.isDelta else { return .unusable("it only says what changed since another list") }
      return self.signatureDefect.map { .unusable($0) } ?? .unlisted
    case X509_V_ERR_CERT_REVOKED:
      return self.signatureDefect.map { .unusable($0) } ?? .revoked(self.entry(of: certificate))
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
      return .forged
    case X509_V_ERR_DIFFERENT_CRL_SCOPE, X509_V_ERR_UNABLE_TO_GET_CRL,
      X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
      let reason = "it does not cover the certificate"
      return self.partialVerdict(on: certificate, by: issuer, unusedFor: reason)
    case let error:
      let reason = unsafe String(cString: X509_verify_cert_error_string(Int(error)))
      return self.partialVerdict(on: certificate, by: issuer, unusedFor: reason)
    }
  }

  /// Whether the list has the issuer's name, of whose keys OpenSSL knows the list's.
  private func isRelated(to issuer: X509Certificate) -> Bool {
    let name = unsafe X509_CRL_get_issuer(self.handle)
    return unsafe X509_NAME_cmp(name, X509_get_subject_name(issuer.handle)) == 0
  }

  /// OpenSSL's verdict on the certificate by this list alone.
  private func error(about certificate: X509Certificate, by issuer: X509Certificate) -> Int32 {
    let store = unsafe X509_STORE_new()
    let context = unsafe X509_STORE_CTX_new()
    let lists = unsafe OPENSSL_sk_new_null()
    defer {
      unsafe OPENSSL_sk_free(lists)
      unsafe X509_STORE_CTX_free(context)
      unsafe X509_STORE_free(store)
    }
    let flags =
      X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK | X509_V_FLAG_NO_CHECK_TIME
    guard unsafe X509_STORE_add_cert(store, issuer.handle) == 1,
      unsafe X509_STORE_CTX_init(context, store, certificate.handle, nil) == 1,
      unsafe OPENSSL_sk_push(lists, UnsafeRawPointer(self.handle)) > 0
    else { return X509_V_ERR_OUT_OF_MEM }
    unsafe X509_STORE_CTX_set0_crls(context, lists)
    unsafe X509_STORE_CTX_set_flags(context, UInt(flags))
    let isGood = unsafe X509_verify_cert(context) == 1
    return unsafe isGood ? X509_V_OK : X509_STORE_CTX_get_error(context)
  }

  /// Since when and why the list has revoked a certificate.
  func entry(of certificate: X509Certificate) -> String {
    var entry: OpaquePointer?
    guard unsafe X509_CRL_get0_by_cert(self.handle, &entry, certificate.handle) > 0 else {
      return ""
    }
    let since = unsafe WallTime(asn1: X509_REVOKED_get0_revocationDate(entry))
    var reason = -1
    if let raw = unsafe X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nil, nil) {
      let value = unsafe raw.assumingMemoryBound(to: ASN1_ENUMERATED.self)
      reason = unsafe ASN1_ENUMERATED_get(value)
      unsafe ASN1_ENUMERATED_free(value)
    }
    return RevocationTimes.text(since: since, reason: reason)
  }
}

extension RevocationList {
  /// While a list holds.
  struct Times {
    /// When it was made.
    let thisUpdate: WallTime
    /// When the next one is due; nil if it does not say.
    let nextUpdate: WallTime?

    /// What a list of these times vouches for, at most.
    func answer(at now: WallTime) -> Answer {
      guard self.thisUpdate <= now.advanced(bySeconds: RevocationTimes.skew) else {
        return .stale("not yet valid")
      }
      guard let nextUpdate = self.nextUpdate else { return .stale("without an end") }
      guard now < nextUpdate.advanced(bySeconds: RevocationTimes.skew) else {
        return .stale("out of date since \(nextUpdate.rfc3339)")
      }
      return .good(until: nextUpdate)
    }

    /// What a list's verdict comes to: what is revoked stays so, whatever the list's end.
    func answer(_ verdict: Verdict, at now: WallTime) -> Answer {
      switch verdict {
      case .unlisted: self.answer(at: now)
      case .revoked(let reason): .revoked(reason)
      case .unrelated: .unrelated
      case .forged: .forged
      case .unusable(let reason): .unusable(reason)
      }
    }
  }
}

/// What staples, answers and lists have in common.
enum RevocationTimes {
  /// How far two clocks may be apart, in seconds.
  static let skew: Int64 = 300
  /// How long an answer is relied on at most, in seconds.
  static let longest: Int64 = 7 * 86_400

  /// Such as `since 2026-11-22T18:04:05.000000Z (keyCompromise)`.
  static func text(since: WallTime, reason: Int) -> String {
    guard (1...10).contains(reason) else { return "since \(since.rfc3339)" }
    return "since \(since.rfc3339) (\(unsafe String(cString: OCSP_crl_reason_str(reason))))"
  }
}
