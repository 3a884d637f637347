import COpenSSL
import TideCore
import TideCrypto

/// Where a certificate says that its revocation can be asked for.
enum RevocationPoints {
  /// Longer addresses are not asked.
  private static let longestURL = 2_048

  /// What to ask about `certificate`; nil if it names nobody who can be asked over plain HTTP.
  ///
  /// The OCSP responder rather than the list: its answer is a few hundred bytes. The digest of the
  /// CertID is SHA-1, which is what responders look answers up by (RFC 5019 §2.1.1); it protects
  /// nothing.
  static func query(
    about certificate: X509Certificate,
    by issuer: X509Certificate,
    depth: Int
  ) -> RevocationQuery? {
    ErrorQueue.clear()
    defer { ErrorQueue.clear() }
    if let url = Self.responders(of: certificate).lazy.compactMap(Self.plain).first,
      let request = Self.request(about: certificate, by: issuer)
    {
      // The request names issuer, key and serial number, and nothing else.
      let name = Self.name("ocsp", issuer.keyDigest, request.array)
      return RevocationQuery(url: url, ocspRequest: request, cacheName: name, depth: depth)
    }
    guard let url = Self.lists(of: certificate).lazy.compactMap(Self.plain).first else {
      return nil
    }
    let name = Self.name("crl", issuer.keyDigest, Array(url.utf8))
    return RevocationQuery(url: url, ocspRequest: nil, cacheName: name, depth: depth)
  }

  private static func name(_ kind: String, _ issuerKey: [UInt8], _ subject: [UInt8]) -> String {
    Hex.encode(Digest.sha256.hash(Array(kind.utf8) + [0] + issuerKey + subject))
  }

  /// An unsigned request for one certificate, without a nonce, so that a kept answer can be served.
  private static func request(
    about certificate: X509Certificate,
    by issuer: X509Certificate
  ) -> Bytes? {
    guard let request = unsafe OCSP_REQUEST_new() else { return nil }
    defer { unsafe OCSP_REQUEST_free(request) }
    guard
      let identifier = unsafe OCSP_cert_to_id(EVP_sha1(), certificate.handle, issuer.handle)
    else { return nil }
    guard unsafe OCSP_request_add0_id(request, identifier) != nil else {
      unsafe OCSP_CERTID_free(identifier)
      return nil
    }
    let count = unsafe i2d_OCSP_REQUEST(request, nil)
    guard count > 0 else { return nil }
    return unsafe Bytes(capacity: Int(count)) { room in
      var position = unsafe room.bindMemory(to: UInt8.self).baseAddress
      return unsafe max(0, Int(i2d_OCSP_REQUEST(request, &position)))
    }
  }

  /// The OCSP responders of the authorityInfoAccess (RFC 5280 §4.2.2.1).
  private static func responders(of certificate: X509Certificate) -> [String] {
    guard let list = unsafe X509_get1_ocsp(certificate.handle) else { return [] }
    defer { unsafe X509_email_free(list) }
    return unsafe (0..<max(0, OPENSSL_sk_num(list))).compactMap { index in
      guard let text = unsafe OPENSSL_sk_value(list, index) else { return nil }
      return unsafe String(cString: text.assumingMemoryBound(to: CChar.self))
    }
  }

  /// The lists of the cRLDistributionPoints (RFC 5280 §4.2.1.13) that cover all reasons and are the
  /// issuer's own.
  private static func lists(of certificate: X509Certificate) -> [String] {
    let raw = unsafe X509_get_ext_d2i(certificate.handle, NID_crl_distribution_points, nil, nil)
    guard let raw = unsafe raw else { return [] }
    let points = OpaquePointer(raw)
    defer { unsafe CRL_DIST_POINTS_free(points) }
    return unsafe (0..<max(0, OPENSSL_sk_num(points))).flatMap { index -> [String] in
      guard
        let point = unsafe OPENSSL_sk_value(points, index)?.assumingMemoryBound(to: DIST_POINT.self)
          .pointee,
        unsafe point.reasons == nil, unsafe point.CRLissuer == nil,
        let place = unsafe point.distpoint?.pointee, unsafe place.type == 0
      else { return [] }
      return unsafe Self.addresses(in: place.name.fullname)
    }
  }

  /// The addresses among the names of a place.
  private static func addresses(in names: OpaquePointer?) -> [String] {
    unsafe (0..<max(0, OPENSSL_sk_num(names))).compactMap { index in
      guard let name = unsafe OPENSSL_sk_value(names, index) else { return nil }
      var kind: Int32 = 0
      let value = unsafe GENERAL_NAME_get0_value(
        name.assumingMemoryBound(to: GENERAL_NAME.self),
        &kind
      )
      guard kind == GEN_URI,
        let text = unsafe value?.assumingMemoryBound(to: ASN1_STRING.self),
        let start = unsafe ASN1_STRING_get0_data(text)
      else { return nil }
      let bytes = unsafe UnsafeBufferPointer(start: start, count: Int(ASN1_STRING_length(text)))
      return unsafe String(decoding: bytes, as: UTF8.self)
    }
  }

  /// An address in the form in which it is asked; nil if it is not one of plain HTTP.
  ///
  /// The certificate's issuer wrote it, so what could be read as more than one line of a request, as
  /// credentials or as another host is no address.
  private static func plain(_ text: String) -> String? {
    let scheme = "http://"
    guard text.utf8.count <= Self.longestURL, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
      ASCII.equalsIgnoringCase(text.prefix(scheme.count).utf8.map { $0 }, Array(scheme.utf8))
    else { return nil }
    let rest = text.dropFirst(scheme.count).prefix { $0 != "#" }
    let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
    guard let authority = Authority(rest[..<end], defaultPort: 80) else { return nil }
    let path = rest[end...]
    let place = authority.port == 80 ? String(authority.description.dropLast(3)) : "\(authority)"
    return scheme + place + (path.hasPrefix("/") ? "" : "/") + path
  }
}
