internal import COpenSSL
internal import TideCore
internal import TideCrypto

/// A request for a time-stamp of a SHA-256 digest (RFC 3161 §2.4.1); owns one `TS_REQ`.
@safe struct TimestampRequest: ~Copyable {
  /// How many bytes of a nonce tell an answer from one that was kept from before.
  static let nonceSize = 16

  let handle: OpaquePointer

  /// Makes a request; without a nonce it serves to check an answer that was kept.
  init(digest: [UInt8], nonce: [UInt8] = []) throws(EvidenceFailure) {
    precondition(digest.count == 32, "a SHA-256 digest")
    guard let handle = unsafe tide_ts_request(digest, nonce, Int32(clamping: nonce.count)) else {
      throw EvidenceFailure(.crypto, detail: OpenSSLText.errors("asking for a time-stamp"))
    }
    unsafe self.handle = handle
  }

  deinit { unsafe TS_REQ_free(self.handle) }
}

/// An authority that tells the time over HTTP (RFC 3161 §3.4).
public struct TimestampAuthority: Hashable, Sendable {
  /// How long an authority may take for an answer, in seconds.
  static let patience: Int32 = 10
  /// The most bytes of an answer: a token with a chain of certificates has some thousands.
  static let largestAnswer = 256 << 10

  /// Where it is asked.
  public let url: String

  /// Takes an `http` or `https` URL without a user; nil for anything else.
  public init?(url: String) {
    guard unsafe tide_ts_is_url(url) == 1 else { return nil }
    self.url = url
  }

  /// Sends a request, directly and without following redirections.
  ///
  /// - Returns: the answer as it came, DER.
  /// - Throws: `io` if there is none of the kind.
  func ask(_ request: borrowing TimestampRequest) throws(EvidenceFailure) -> [UInt8] {
    guard
      let bio = unsafe tide_ts_post(self.url, request.handle, Self.patience, Self.largestAnswer)
    else { throw EvidenceFailure(.io, detail: OpenSSLText.errors(self.url)) }
    defer { unsafe BIO_free(bio) }
    return unsafe OpenSSLText.contents(bio)
  }
}

/// What OpenSSL prints.
@safe enum OpenSSLText {
  /// `subject`, and why OpenSSL's last call failed; empties its error queue.
  static func errors(_ subject: String) -> String {
    let text = unsafe self.printed { unsafe tide_ts_print_errors($0) }
    return text.isEmpty ? "\(subject): refused" : "\(subject): \(text)"
  }

  /// What `print` writes, as one line; at most 512 bytes, as some of it is a peer's.
  static func printed(_ print: (OpaquePointer) -> Void) -> String {
    guard let bio = unsafe BIO_new(BIO_s_mem()) else { return "" }
    defer { unsafe BIO_free(bio) }
    unsafe print(bio)
    let text = unsafe String(decoding: self.contents(bio).prefix(512), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).filter { !$0.hasSuffix(": unspecified") }
    return lines.joined(separator: ", ").filter { !$0.isASCII || $0 >= " " && $0 <= "~" }
  }

  /// All that is in a memory BIO.
  static func contents(_ bio: OpaquePointer) -> [UInt8] {
    let room = unsafe BIO_ctrl_pending(bio)
    return unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      count = Int(max(0, unsafe BIO_read(bio, buffer.baseAddress, Int32(clamping: room))))
    }
  }
}
