import COpenSSL
import TideCore

/// Owns an OCSP response (RFC 6960 §4.2): a staple, or an answer that was fetched.
@safe struct StatusResponse: ~Copyable {
  /// What a response says about a certificate.
  enum Answer {
    case good(until: WallTime)
    case revoked(String)
    /// The responder does not know, declines, signs too weakly, or its answer's time is over: nothing
    /// was learned.
    case silent(String)
    /// It is not what a responder of the issuer makes.
    case defective(String)
  }

  private let handle: OpaquePointer

  private init(owning handle: OpaquePointer) { unsafe self.handle = handle }

  /// Reads a response in DER; nil if it is not one, or more.
  static func parse(der: Bytes) -> StatusResponse? {
    ErrorQueue.clear()
    defer { ErrorQueue.clear() }
    var taken = 0
    let handle = unsafe der.withUnsafeBytes { buffer in
      let first = unsafe buffer.bindMemory(to: UInt8.self).baseAddress
      var start = unsafe first
      let handle = unsafe d2i_OCSP_RESPONSE(nil, &start, buffer.count)
      if let end = unsafe start, let first = unsafe first { taken = unsafe end - first }
      return unsafe handle
    }
    guard let handle = unsafe handle else { return nil }
    let response = unsafe StatusResponse(owning: handle)
    guard taken == der.count else { return nil }
    return response
  }

  deinit { unsafe OCSP_RESPONSE_free(self.handle) }

  /// Asks the response about `certificate`.
  ///
  /// It must be signed by the issuer, or by a responder that the issuer itself has certified for that
  /// (id-kp-OCSPSigning, RFC 6960 §4.2.2.2).
  func answer(
    on certificate: X509Certificate,
    by issuer: X509Certificate,
    at now: WallTime
  ) -> Answer {
    ErrorQueue.clear()
    defer { ErrorQueue.clear() }
    let status = unsafe OCSP_response_status(self.handle)
    guard status == OCSP_RESPONSE_STATUS_SUCCESSFUL else {
      let name = unsafe String(cString: OCSP_response_status_str(Int(status)))
      return .silent("the responder declined: \(name)")
    }
    guard let basic = unsafe OCSP_response_get1_basic(self.handle) else {
      return .defective("not a basic OCSP response")
    }
    defer { unsafe OCSP_BASICRESP_free(basic) }
    if let reason = unsafe Self.signatureDefect(of: basic, issuer) {
      // Where it is only that the responder's certificate has ended, with or since its answer: what is
      // revoked stays so, and what says nothing any more may have been good in its time.
      guard unsafe Self.signatureDefect(of: basic, issuer, atAnyTime: true) == nil else {
        return .defective(reason)
      }
      let answer = unsafe Self.single(in: basic, certificate, issuer, now)
      if case .good = answer { return .defective(reason) }
      return unsafe SignatureStrength.defect(OCSP_resp_get0_tbs_sigalg(basic)).map { .silent($0) }
        ?? answer
    }
    if let reason = unsafe SignatureStrength.defect(OCSP_resp_get0_tbs_sigalg(basic)) {
      return .silent(reason)
    }
    return unsafe Self.single(in: basic, certificate, issuer, now)
  }

  /// Why a response is not to be relied on; nil if it is.
  private static func signatureDefect(
    of basic: OpaquePointer,
    _ issuer: X509Certificate,
    atAnyTime: Bool = false
  ) -> String? {
    ErrorQueue.clear()
    let store = unsafe X509_STORE_new()
    let helpers = unsafe OPENSSL_sk_new_null()
    defer {
      unsafe OPENSSL_sk_free(helpers)
      unsafe X509_STORE_free(store)
    }
    guard unsafe X509_STORE_add_cert(store, issuer.handle) == 1,
      unsafe OPENSSL_sk_push(helpers, UnsafeRawPointer(issuer.handle)) > 0
    else { return "memory" }
    // The issuer is the anchor here: it has been verified with the chain.
    let timeless = atAnyTime ? X509_V_FLAG_NO_CHECK_TIME : 0
    unsafe X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN | timeless))
    unsafe X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store), 2)
    // A root that is marked as trusted for OCSP in general is not the issuer.
    let flags = UInt(OCSP_NOEXPLICIT)
    guard unsafe OCSP_basic_verify(basic, helpers, store, flags) != 1 else { return nil }
    let reason = ErrorQueue.first.map { ErrorQueue.text(of: $0) } ?? "not verified"
    return "not from its issuer's responder: \(reason)"
  }

  /// What the single responses for the certificate say; a revocation outweighs all.
  private static func single(
    in basic: OpaquePointer,
    _ certificate: X509Certificate,
    _ issuer: X509Certificate,
    _ now: WallTime
  ) -> Answer {
    var answer: Answer?
    var identifiers = CertificateIdentifiers(certificate, issuer)
    for index in unsafe 0..<max(0, OCSP_resp_count(basic)) {
      guard let single = unsafe OCSP_resp_get0(basic, index),
        unsafe identifiers.match(OCSP_SINGLERESP_get0_id(single))
      else { continue }
      let found = unsafe Self.answer(of: single, now)
      switch (found, answer) {
      case (.revoked, _): return found
      case (.good, _), (_, nil): answer = found
      case (.silent, _), (.defective, _): break
      }
    }
    return answer ?? .defective("it is for another certificate")
  }

  private static func answer(of single: OpaquePointer, _ now: WallTime) -> Answer {
    var reason: Int32 = -1
    var since: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
    var from: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
    var next: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
    let status = unsafe OCSP_single_get0_status(single, &reason, &since, &from, &next)
    let thisUpdate = unsafe WallTime(asn1: from)
    guard thisUpdate <= now.advanced(bySeconds: RevocationTimes.skew) else {
      return .silent("it is from the future: \(thisUpdate.rfc3339)")
    }
    switch status {
    case V_OCSP_CERTSTATUS_REVOKED:
      // Whatever its end: what is revoked stays so.
      return unsafe .revoked(
        RevocationTimes.text(since: WallTime(asn1: since), reason: Int(reason))
      )
    case V_OCSP_CERTSTATUS_GOOD:
      // Without an end there is always something newer (RFC 6960 §4.2.2.1); a day is allowed for it.
      let end =
        unsafe next.map { unsafe WallTime(asn1: $0) } ?? thisUpdate.advanced(bySeconds: 86_400)
      guard now < end.advanced(bySeconds: RevocationTimes.skew) else {
        return .silent("out of date since \(end.rfc3339)")
      }
      return .good(until: end)
    default:
      return .silent("its issuer's responder does not know it")
    }
  }
}

/// A certificate's OCSP names, one for each digest that a responder may choose.
@safe struct CertificateIdentifiers: ~Copyable {
  private let certificate: X509Certificate
  private let issuer: X509Certificate
  private var made: [Int32: OpaquePointer] = unsafe [:]

  /// Names a certificate by its issuer and serial number.
  init(_ certificate: X509Certificate, _ issuer: X509Certificate) {
    self.certificate = certificate
    self.issuer = issuer
  }

  deinit { unsafe self.made.values.forEach { unsafe OCSP_CERTID_free($0) } }

  /// Whether a response's name for a certificate is this one's.
  mutating func match(_ other: OpaquePointer?) -> Bool {
    var algorithm: OpaquePointer?
    guard let other = unsafe other,
      unsafe OCSP_id_get0_info(nil, &algorithm, nil, nil, other) == 1
    else { return false }
    let kind = unsafe OBJ_obj2nid(algorithm)
    // Anything else would only be asked of us to make us work.
    guard [NID_sha1, NID_sha256, NID_sha384, NID_sha512].contains(kind) else { return false }
    if unsafe self.made[kind] == nil {
      let digest = unsafe EVP_get_digestbyname(OBJ_nid2sn(kind))
      unsafe self.made[kind] = OCSP_cert_to_id(digest, self.certificate.handle, self.issuer.handle)
    }
    guard let own = unsafe self.made[kind] else { return false }
    return unsafe OCSP_id_cmp(own, other) == 0
  }
}
