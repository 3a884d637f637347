import COpenSSL

extension PrivateKey {
  /// Finds a key in a PKCS#11 token; its secret part stays there.
  ///
  /// By OpenSSL's provider `pkcs11` where there is one, else by its engine of that name.
  ///
  /// - Throws: `.certificate` if neither is installed, or the token has no such key.
  static func inToken(_ uri: TokenURI, pin: [UInt8]?) throws(TLSFailure) -> PrivateKey {
    ErrorQueue.clear()
    let terminated = pin.map { $0.map(CChar.init(bitPattern:)) + [0] }
    var isReachable: Int32 = 0
    let handle = unsafe Self.tokenKey(uri, terminated, &isReachable)
    if let handle = unsafe handle {
      ErrorQueue.clear()
      return unsafe PrivateKey(owning: handle, isInToken: true)
    }
    guard isReachable == 1 else {
      ErrorQueue.clear()
      throw TLSFailure(
        .certificate,
        detail: "OpenSSL has neither a provider nor an engine \"pkcs11\": install pkcs11-provider "
          + "(Debian 13) or libengine-pkcs11-openssl (Debian 12)"
      )
    }
    throw .drained(.certificate, "no private key \(uri.bare) can be had from a token")
  }

  private static func tokenKey(
    _ uri: TokenURI,
    _ pin: [CChar]?,
    _ isReachable: inout Int32
  ) -> OpaquePointer? {
    let text = uri.bare
    // Optional C strings: nil where the operator named none.
    func call(_ pin: UnsafePointer<CChar>?, _ isReachable: inout Int32) -> OpaquePointer? {
      guard let module = uri.modulePath else {
        return unsafe tide_load_token_key(text, nil, pin, &isReachable)
      }
      return unsafe tide_load_token_key(text, module, pin, &isReachable)
    }
    guard let pin else { return unsafe call(nil, &isReachable) }
    return unsafe pin.withUnsafeBufferPointer { pin in
      unsafe call(pin.baseAddress, &isReachable)
    }
  }
}
