import COpenSSL
import TideCore

@testable import TideTLS

/// An OCSP response in the making: good, signed by the issuer and of this hour, unless changed.
struct TestStatus {
  var status = V_OCSP_CERTSTATUS_GOOD
  /// Why it is revoked, if it is.
  var reason: Int32 = OCSP_REVOKED_STATUS_KEYCOMPROMISE
  /// In seconds from now.
  var thisUpdate: Int64 = -3_600
  /// In seconds from now; nil for none.
  var nextUpdate: Int64? = day
  /// Who signs; nil for the issuer.
  var signer: TestIdentity?
  /// The digest of the certificate's name.
  var digest = "SHA1"
  /// An extension of the single response.
  var timestamps: [UInt8]?
  /// The digest that is signed.
  var signature = "SHA256"

  /// The response about each of `identities`, which `issuer` has signed, in DER.
  func response(_ identities: TestIdentity..., issuer: TestIdentity) -> [UInt8] {
    let basic = unsafe OCSP_BASICRESP_new()
    defer { unsafe OCSP_BASICRESP_free(basic) }
    for identity in identities {
      let name = unsafe OCSP_cert_to_id(
        EVP_get_digestbyname(self.digest),
        identity.certificate.handle,
        issuer.certificate.handle
      )
      let times = unsafe [self.thisUpdate, self.nextUpdate].map { offset in
        unsafe offset.flatMap { unsafe ASN1_TIME_set(nil, Int(now.seconds + $0)) }
      }
      let single = unsafe OCSP_basic_add1_status(
        basic,
        name,
        self.status,
        self.reason,
        self.status == V_OCSP_CERTSTATUS_REVOKED ? times[0] : nil,
        times[0],
        times[1]
      )
      if let timestamps {
        let value = unsafe ASN1_OCTET_STRING_new()
        let content = CertificateExtension.element(0x04, timestamps)
        unsafe ASN1_OCTET_STRING_set(value, content, Int32(content.count))
        let part = unsafe X509_EXTENSION_create_by_NID(nil, NID_ct_cert_scts, 0, value)
        unsafe OCSP_SINGLERESP_add_ext(single, part, -1)
        unsafe X509_EXTENSION_free(part)
        unsafe ASN1_OCTET_STRING_free(value)
      }
      unsafe times.forEach { unsafe ASN1_TIME_free($0) }
      unsafe OCSP_CERTID_free(name)
    }
    let signer = self.signer ?? issuer
    unsafe OCSP_basic_sign(
      basic,
      signer.certificate.handle,
      signer.key.handle,
      EVP_get_digestbyname(self.signature),
      nil,
      0
    )
    return unsafe Self.wrapped(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
  }

  /// A response in which the responder declines, such as `OCSP_RESPONSE_STATUS_TRYLATER`.
  static func declined(_ status: Int32) -> [UInt8] { unsafe Self.wrapped(status, nil) }

  private static func wrapped(_ status: Int32, _ basic: OpaquePointer?) -> [UInt8] {
    let response = unsafe OCSP_response_create(status, basic)
    defer { unsafe OCSP_RESPONSE_free(response) }
    return unsafe der { unsafe i2d_OCSP_RESPONSE(response, $0) }
  }
}

/// A certificate revocation list in the making.
struct TestList {
  /// In seconds from now.
  var thisUpdate: Int64 = -3_600
  /// In seconds from now; nil for none.
  var nextUpdate: Int64? = day
  /// Who signs in the issuer's name; nil for the issuer.
  var signer: TestIdentity?
  var extensions: [CertificateExtension] = []
  /// The digest that is signed; nil for a scheme with its own.
  var signature: String? = "SHA256"
  /// Whether an RSA key signs by RSASSA-PSS.
  var isPSS = false
  /// Why everything is on it, as RFC 5280 §5.3.1 counts: keyCompromise.
  var reason = 1

  /// The list of `issuer` with `revoked`, in DER.
  func list(_ revoked: TestIdentity..., issuer: TestIdentity) -> [UInt8] {
    unsafe self.make(revoked, issuer) { list in unsafe der { unsafe i2d_X509_CRL(list, $0) } }
  }

  /// The same in PEM.
  func pem(_ revoked: TestIdentity..., issuer: TestIdentity) -> [UInt8] {
    unsafe self.make(revoked, issuer) { list in
      guard let memory = MemoryBIO() else { return [] }
      unsafe PEM_write_bio_X509_CRL(memory.handle, list)
      return memory.bytes
    }
  }

  private func make(
    _ revoked: [TestIdentity],
    _ issuer: TestIdentity,
    _ write: (OpaquePointer?) -> [UInt8]
  ) -> [UInt8] {
    let list = unsafe X509_CRL_new()
    defer { unsafe X509_CRL_free(list) }
    unsafe X509_CRL_set_version(list, 1)
    unsafe X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.certificate.handle))
    let from = unsafe ASN1_TIME_set(nil, Int(now.seconds + self.thisUpdate))
    unsafe X509_CRL_set1_lastUpdate(list, from)
    if let nextUpdate {
      let until = unsafe ASN1_TIME_set(nil, Int(now.seconds + nextUpdate))
      unsafe X509_CRL_set1_nextUpdate(list, until)
      unsafe ASN1_TIME_free(until)
    }
    for identity in revoked {
      let entry = unsafe X509_REVOKED_new()
      unsafe X509_REVOKED_set_serialNumber(
        entry,
        X509_get_serialNumber(identity.certificate.handle)
      )
      unsafe X509_REVOKED_set_revocationDate(entry, from)
      let reason = unsafe ASN1_ENUMERATED_new()
      unsafe ASN1_ENUMERATED_set(reason, self.reason)
      unsafe X509_REVOKED_add1_ext_i2d(entry, NID_crl_reason, reason, 0, 0)
      unsafe ASN1_ENUMERATED_free(reason)
      unsafe X509_CRL_add0_revoked(list, entry)
    }
    unsafe ASN1_TIME_free(from)
    // A list that another has signed names the issuer's key all the same.
    let named = CertificateAuthority.keyIdentifier(of: issuer.key)
    for part in [.authorityKey(named)] + self.extensions {
      let value = unsafe ASN1_OCTET_STRING_new()
      unsafe ASN1_OCTET_STRING_set(value, part.value, Int32(part.value.count))
      let made = unsafe X509_EXTENSION_create_by_NID(nil, part.kind, part.isCritical ? 1 : 0, value)
      unsafe X509_CRL_add_ext(list, made, -1)
      unsafe X509_EXTENSION_free(made)
      unsafe ASN1_OCTET_STRING_free(value)
    }
    let signing = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(signing) }
    var method: OpaquePointer?
    let digest = unsafe self.signature.map { unsafe EVP_get_digestbyname($0) }
    let key = (self.signer ?? issuer).key
    unsafe EVP_DigestSignInit(signing, &method, digest ?? nil, nil, key.handle)
    if self.isPSS { unsafe EVP_PKEY_CTX_set_rsa_padding(method, RSA_PKCS1_PSS_PADDING) }
    unsafe X509_CRL_sign_ctx(list, signing)
    return unsafe write(list)
  }
}

/// What one of OpenSSL's `i2d_` functions writes.
private func der(
  _ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
) -> [UInt8] {
  let count = max(0, Int(write(nil)))
  return unsafe [UInt8](unsafeUninitializedCapacity: count) { room, filled in
    var position = room.baseAddress
    filled = max(0, Int(unsafe write(&position)))
  }
}

/// A list of signed certificate timestamps (RFC 6962 §3.3), one for each time in milliseconds.
func timestampList(_ times: [UInt64], log: UInt8) -> [UInt8] {
  let timestamps = times.map { time -> [UInt8] in
    [0] + [UInt8](repeating: log, count: 32)
      + (0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - 8 * $0)) }
      + [0, 0, 4, 3, 0, 2, 0x30, 0x00]
  }
  func number(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 0xFF)] }
  let list = timestamps.flatMap { number($0.count) + $0 }
  return number(list.count) + list
}

extension SessionPair {
  /// Joins a client of `name` with a server that shows anything, however weak, and staples `staple`.
  convenience init(
    clients: TLSClientContext,
    leaf: Leaf,
    staple: [UInt8]? = nil,
    name: String = "server.example",
    maximumVersion: UInt16? = nil,
    prepare: (TLSServerContext) -> Void = { _ in }
  ) throws {
    let servers = try TLSServerContext()
    unsafe SSL_CTX_set_security_level(servers.handle, 0)
    unsafe tide_ssl_ctx_set_largest_chain(servers.handle, 8 << 20)
    unsafe tide_ssl_ctx_request_status(servers.handle, { _, _ in SSL_TLSEXT_ERR_OK })
    prepare(servers)
    let server = try TLSSession.server(
      servers,
      leaf: leaf,
      applicationProtocol: nil,
      maximumVersion: maximumVersion
    )
    if let staple {
      // The session frees it.
      let room = unsafe CRYPTO_malloc(max(1, staple.count), "", 0)
      unsafe room?.copyMemory(from: staple, byteCount: staple.count)
      unsafe SSL_ctrl(
        server.handle,
        SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP,
        staple.count,
        room
      )
    }
    self.init(
      client: try .client(clients, host: host(name), applicationProtocols: []),
      server: server
    )
  }

  /// What the client has to say about revocation.
  var revocation: HandshakeFacts.Revocation? { self.client.facts.peer?.revocation }
}

extension CertificateExtension {
  /// `authorityInfoAccess` (RFC 5280 §4.2.2.1) with OCSP responders.
  static func responders(_ urls: String...) -> CertificateExtension {
    let method: [UInt8] = [0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]
    return CertificateExtension(
      kind: NID_info_access,
      isCritical: false,
      value: Self.element(
        0x30,
        urls.flatMap { Self.element(0x30, method + Self.element(0x86, Array($0.utf8))) }
      )
    )
  }

  /// `cRLDistributionPoints` (RFC 5280 §4.2.1.13) with one address.
  static func distribution(_ url: String) -> CertificateExtension {
    let name = Self.element(0xA0, Self.element(0xA0, Self.element(0x86, Array(url.utf8))))
    return CertificateExtension(
      kind: NID_crl_distribution_points,
      isCritical: false,
      value: Self.element(0x30, Self.element(0x30, name))
    )
  }
}
