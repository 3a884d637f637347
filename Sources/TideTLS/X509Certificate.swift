import COpenSSL
import Glibc
import TideCore

/// Owns one reference to an `X509`, which nobody changes any more.
///
/// A class and not a `~Copyable` value, because leaves share their CA's. OpenSSL locks what it caches
/// inside, so one certificate may be read from several loops at once.
@safe final class X509Certificate {
  /// The certificate; valid as long as this owner is.
  let handle: OpaquePointer

  /// Takes over a reference.
  init(owning handle: OpaquePointer) { unsafe self.handle = handle }

  deinit { unsafe X509_free(self.handle) }

  /// The certificate in DER.
  var der: [UInt8] { unsafe Self.der(of: self.handle) }

  /// A certificate that is not owned here, in DER.
  static func der(of handle: OpaquePointer) -> [UInt8] {
    let count = unsafe i2d_X509(handle, nil)
    guard count > 0 else { return [] }
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { room, filled in
      var position = room.baseAddress
      filled = unsafe max(0, Int(i2d_X509(handle, &position)))
    }
  }

  /// The SHA-256 of the public key's bits, by which a key is known again in any certificate.
  static func keyDigest(of handle: OpaquePointer) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { room, filled in
      var count: UInt32 = 0
      let isDone = unsafe X509_pubkey_digest(handle, EVP_sha256(), room.baseAddress, &count) == 1
      filled = isDone ? Int(count) : 0
    }
  }

  /// The certificates of a stack, which keeps them; a reference is taken to each.
  static func list(_ stack: OpaquePointer?) -> [X509Certificate] {
    unsafe (0..<max(0, OPENSSL_sk_num(stack))).compactMap { index in
      guard let handle = unsafe OPENSSL_sk_value(stack, index).map({ OpaquePointer($0) }),
        unsafe X509_up_ref(handle) == 1
      else { return nil }
      return unsafe X509Certificate(owning: handle)
    }
  }

  /// The SHA-256 of the public key's bits.
  var keyDigest: [UInt8] { unsafe Self.keyDigest(of: self.handle) }

  /// The subject for a record: cut to what a name needs, because a peer chooses it.
  var shortSubject: String {
    let subject = self.subject
    return subject.count > 200 ? subject.prefix(200) + "…" : subject
  }

  /// Whether it must not be taken without a staple (RFC 7633): feature 5 is status_request.
  ///
  /// Features that are there and cannot be read, or are there twice, may be that demand, so they are it.
  var demandsStaple: Bool {
    defer { ErrorQueue.clear() }
    var presence: Int32 = -1
    guard let raw = unsafe X509_get_ext_d2i(self.handle, NID_tlsfeature, &presence, nil) else {
      return presence != -1
    }
    let features = OpaquePointer(raw)
    defer { unsafe TLS_FEATURE_free(features) }
    return unsafe (0..<max(0, OPENSSL_sk_num(features))).contains { index in
      guard let feature = unsafe OPENSSL_sk_value(features, index) else { return false }
      return unsafe ASN1_INTEGER_get(feature.assumingMemoryBound(to: ASN1_INTEGER.self)) == 5
    }
  }

  /// Whether it may be a TLS server's, or issue one's: it limits no purposes or has serverAuth.
  ///
  /// OpenSSL takes Server Gated Crypto for that too, of which nobody has issued since SHA-1 ended.
  /// anyExtendedKeyUsage does not do either, as with OpenSSL and Firefox: the Baseline Requirements
  /// forbid it in a server's path.
  var isForServers: Bool {
    let purposes = unsafe X509_get_extended_key_usage(self.handle)
    return purposes == UInt32.max || purposes & UInt32(XKU_SSL_SERVER) != 0
  }

  /// The subject in the form of RFC 2253, with UTF-8 as it is.
  var subject: String {
    guard let memory = MemoryBIO() else { return "" }
    unsafe tide_x509_print_name(memory.handle, X509_get_subject_name(self.handle))
    return String(decoding: memory.bytes, as: UTF8.self)
  }

  /// The start of its validity.
  var notBefore: WallTime { unsafe WallTime(asn1: X509_get0_notBefore(self.handle)) }

  /// The end of its validity.
  var notAfter: WallTime { unsafe WallTime(asn1: X509_get0_notAfter(self.handle)) }

  /// Reads one certificate.
  ///
  /// - Throws: `.certificate` if it is not one.
  static func parse(der: [UInt8]) throws(TLSFailure) -> X509Certificate {
    ErrorQueue.clear()
    let handle = unsafe der.withUnsafeBufferPointer { buffer in
      var start = buffer.baseAddress
      return unsafe d2i_X509(nil, &start, buffer.count)
    }
    guard let handle = unsafe handle else { throw .drained(.certificate, "not a certificate") }
    return unsafe X509Certificate(owning: handle)
  }

  /// Reads every certificate of a PEM text, in its order; at least one.
  ///
  /// - Throws: `.certificate` if there is none, or one that cannot be read.
  static func parse(pem: [UInt8]) throws(TLSFailure) -> [X509Certificate] {
    guard let memory = MemoryBIO(copying: pem) else { throw .drained(.internal, "memory") }
    var list: [X509Certificate] = []
    ErrorQueue.clear()
    while let handle = unsafe PEM_read_bio_X509(memory.handle, nil, refusePassphrase, nil) {
      list.append(unsafe X509Certificate(owning: handle))
    }
    // The end of the text is reported as a missing start line; any other error is a broken block.
    if let error = ErrorQueue.first, ERR_GET_REASON(error) != PEM_R_NO_START_LINE {
      throw .drained(.certificate, "a certificate cannot be read")
    }
    ErrorQueue.clear()
    guard !list.isEmpty else {
      throw TLSFailure(.certificate, detail: "the PEM text holds no certificate")
    }
    return list
  }
}

extension WallTime {
  /// A time as OpenSSL has it; `WallTime` ends in 2262: later times are cut to its range.
  init(asn1 time: UnsafePointer<ASN1_TIME>?) {
    var days: Int32 = 0
    var seconds: Int32 = 0
    let epoch = unsafe ASN1_TIME_set(nil, 0)
    defer { unsafe ASN1_TIME_free(epoch) }
    // A time that cannot be read is the epoch: such a certificate is never valid now.
    guard let time = unsafe time, unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else {
      self.init(seconds: 0)
      return
    }
    let limit: Int64 = 9_200_000_000
    self.init(seconds: max(-limit, min(limit, Int64(days) * 86_400 + Int64(seconds))))
  }

  /// The machine's clock, by which OpenSSL verifies.
  static var systemNow: WallTime { WallTime(seconds: Int64(time(nil))) }
}

/// Declines to decrypt: without a callback OpenSSL would ask for a passphrase on the terminal.
func refusePassphrase(
  _: UnsafeMutablePointer<CChar>?,
  _: Int32,
  _: Int32,
  _: UnsafeMutableRawPointer?
) -> Int32 { -1 }
