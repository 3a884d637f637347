import COpenSSL

/// How strong a signature's digest has to be for an answer about revocation to be relied on.
///
/// OpenSSL holds the certificates of a path to a security level, but not what a CA signs besides.
enum SignatureStrength {
  /// Level 2, which the path is held to as well: SHA-224 has it, SHA-1 and MD5 do not.
  private static let leastBits: Int32 = 112

  /// Why a signature is not relied on; nil if it may be.
  ///
  /// Schemes with a digest of their own, such as Ed25519, are left to OpenSSL, which verifies them or
  /// does not.
  static func defect(_ algorithm: UnsafePointer<X509_ALGOR>?) -> String? {
    guard let algorithm = unsafe algorithm else { return "it is not signed" }
    let scheme = unsafe OBJ_obj2nid(algorithm.pointee.algorithm)
    var digest = NID_undef
    if scheme == NID_rsassaPss {
      guard let chosen = unsafe Self.digest(ofPSS: algorithm) else {
        return "its signature's parameters cannot be read"
      }
      digest = chosen
    } else {
      guard unsafe OBJ_find_sigid_algs(scheme, &digest, nil) == 1, digest != NID_undef else {
        return nil
      }
    }
    let name = unsafe OBJ_nid2sn(digest)
    // Collisions take half of a digest's bits.
    if let kind = unsafe EVP_get_digestbyname(name),
      unsafe EVP_MD_get_size(kind) * 4 >= Self.leastBits
    {
      return nil
    }
    return
      "it is signed with \(unsafe name.map { unsafe String(cString: $0) } ?? "an unknown digest")"
  }

  /// The digest that RSASSA-PSS parameters name (RFC 4055 §3.1); nil if they cannot be read.
  private static func digest(ofPSS algorithm: UnsafePointer<X509_ALGOR>) -> Int32? {
    var kind: Int32 = 0
    var value: UnsafeRawPointer?
    unsafe X509_ALGOR_get0(nil, &kind, &value, algorithm)
    guard kind == V_ASN1_SEQUENCE,
      let text = unsafe value?.assumingMemoryBound(to: ASN1_STRING.self)
    else { return nil }
    var start = unsafe ASN1_STRING_get0_data(text)
    guard
      let parameters = unsafe d2i_RSA_PSS_PARAMS(nil, &start, Int(ASN1_STRING_length(text)))
    else { return nil }
    defer { unsafe RSA_PSS_PARAMS_free(parameters) }
    guard let digest = unsafe parameters.pointee.hashAlgorithm else { return NID_sha1 }
    return unsafe OBJ_obj2nid(digest.pointee.algorithm)
  }
}
