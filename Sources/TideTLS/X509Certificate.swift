import COpenSSL
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

  /// The subject in the form of RFC 2253, with UTF-8 as it is.
  var subject: String {
    guard let memory = MemoryBIO() else { return "" }
    unsafe tide_x509_print_name(memory.handle, X509_get_subject_name(self.handle))
    return String(decoding: memory.bytes, as: UTF8.self)
  }

  /// The start of its validity.
  var notBefore: WallTime { unsafe Self.time(X509_get0_notBefore(self.handle)) }

  /// The end of its validity.
  var notAfter: WallTime { unsafe Self.time(X509_get0_notAfter(self.handle)) }

  /// A time as `WallTime`, which ends in 2262: later times are cut to its range.
  private static func time(_ time: UnsafePointer<ASN1_TIME>?) -> WallTime {
    var days: Int32 = 0
    var seconds: Int32 = 0
    let epoch = unsafe ASN1_TIME_set(nil, 0)
    defer { unsafe ASN1_TIME_free(epoch) }
    // A time that cannot be read is the epoch: such a certificate is never valid now.
    guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else {
      return WallTime(seconds: 0)
    }
    let limit: Int64 = 9_200_000_000
    return WallTime(seconds: max(-limit, min(limit, Int64(days) * 86_400 + Int64(seconds))))
  }

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

/// Declines to decrypt: without a callback OpenSSL would ask for a passphrase on the terminal.
func refusePassphrase(
  _: UnsafeMutablePointer<CChar>?,
  _: Int32,
  _: Int32,
  _: UnsafeMutableRawPointer?
) -> Int32 { -1 }
