import COpenSSL

extension PrivateKey {
  /// PBKDF2's rounds for a key that we encrypt: OWASP's figure for HMAC-SHA256, a fifth of a second.
  private static let derivationRounds: Int32 = 600_000

  /// What OpenSSL asks us for while it reads a key.
  private struct Question {
    let passphrase: [UInt8]?
    var isAsked = false
  }

  /// Reads a key: PKCS#8, encrypted or not, or the older forms of EC and RSA.
  ///
  /// - Throws: `.certificate` if it cannot be read, for want of the right passphrase among others.
  static func parse(pem: [UInt8], passphrase: [UInt8]? = nil) throws(TLSFailure) -> PrivateKey {
    guard let memory = MemoryBIO(copying: pem) else { throw .drained(.internal, "memory") }
    ErrorQueue.clear()
    var question = Question(passphrase: passphrase)
    let handle = unsafe Self.read(memory, &question)
    if let handle = unsafe handle { return unsafe PrivateKey(owning: handle) }
    guard question.isAsked else {
      throw .drained(.certificate, "the private key cannot be read")
    }
    ErrorQueue.clear()
    throw TLSFailure(
      .certificate,
      detail: passphrase == nil
        ? "the private key is encrypted, and there is no passphrase"
        : "the passphrase does not open the private key"
    )
  }

  /// Whether a text holds a key that only a passphrase opens.
  static func isEncrypted(pem: [UInt8]) -> Bool {
    guard let memory = MemoryBIO(copying: pem) else { return false }
    ErrorQueue.clear()
    defer { ErrorQueue.clear() }
    var question = Question(passphrase: nil)
    if let handle = unsafe Self.read(memory, &question) { unsafe EVP_PKEY_free(handle) }
    return question.isAsked
  }

  private static func read(
    _ memory: borrowing MemoryBIO,
    _ question: inout Question
  )
    -> OpaquePointer?
  {
    let source = unsafe memory.handle
    return unsafe withUnsafeMutablePointer(to: &question) { question in
      unsafe PEM_read_bio_PrivateKey(
        source,
        nil,
        { room, size, _, question in
          guard let question = unsafe question?.assumingMemoryBound(to: Question.self) else {
            return -1
          }
          unsafe question.pointee.isAsked = true
          guard let passphrase = unsafe question.pointee.passphrase, let room = unsafe room,
            passphrase.count <= Int(size)
          else { return -1 }
          for (offset, byte) in passphrase.enumerated() {
            unsafe room[offset] = CChar(bitPattern: byte)
          }
          return Int32(passphrase.count)
        },
        question
      )
    }
  }

  /// The key as PKCS#8 in PEM, encrypted if there is a passphrase, of 1 to 1024 bytes.
  func pem(passphrase: [UInt8]? = nil) throws(TLSFailure) -> [UInt8] {
    guard !self.isInToken else {
      throw TLSFailure(.certificate, detail: "the private key stays in its PKCS#11 token")
    }
    guard let memory = MemoryBIO() else { throw .drained(.internal, "memory") }
    ErrorQueue.clear()
    let isWritten: Bool
    if let passphrase {
      guard (1...1_024).contains(passphrase.count) else {
        throw TLSFailure(.certificate, detail: "a passphrase has 1 to 1024 bytes")
      }
      // PEM_write_bio_PKCS8PrivateKey would derive with 2048 rounds, whatever it is asked.
      isWritten =
        unsafe tide_write_encrypted_key(
          memory.handle,
          self.handle,
          passphrase,
          Int32(passphrase.count),
          Self.derivationRounds
        ) == 1
    } else {
      isWritten =
        unsafe PEM_write_bio_PKCS8PrivateKey(memory.handle, self.handle, nil, nil, 0, nil, nil) == 1
    }
    guard isWritten else { throw .drained(.internal, "the key cannot be written") }
    return memory.bytes
  }
}
