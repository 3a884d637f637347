internal import COpenSSL

/// AES-256 in Galois/counter mode (NIST SP 800-38D): hides bytes, and shows when they or what goes with them were changed.
///
/// Owns one `EVP_CIPHER_CTX`; confined to whoever made it. Under one key no nonce may ever be used for two different
/// messages: that is the caller's business.
@safe public final class AEAD {
  /// Bytes of a nonce.
  public static let nonceByteCount = 12
  /// Bytes of the tag that follows the ciphertext.
  public static let tagByteCount = 16

  private let context: OpaquePointer
  private let key: SymmetricKey
  private var mode: Mode?

  private enum Mode {
    case sealing
    case opening
  }

  /// Makes a cipher for a key.
  public init(_ key: SymmetricKey) {
    guard let context = unsafe EVP_CIPHER_CTX_new() else {
      preconditionFailure("a cipher context needs only memory")
    }
    unsafe self.context = context
    self.key = key
  }

  // Freeing the context clears its copy of the key.
  deinit { unsafe EVP_CIPHER_CTX_free(self.context) }

  /// Writes the ciphertext and its tag at the end of `output`: 16 bytes more than the message.
  ///
  /// - Parameters:
  ///   - message: what is hidden.
  ///   - nonce: 12 bytes, of this message alone.
  ///   - associated: what is not hidden but must not be changed either.
  ///   - output: takes the result.
  public func seal(
    _ message: borrowing Span<UInt8>,
    nonce: [UInt8],
    associated: borrowing Span<UInt8>,
    into output: inout [UInt8]
  ) {
    let isReady = self.begin(.sealing, nonce)
    precondition(isReady, "a cipher context with its key can be used again")
    self.take(associated)
    self.run(message, into: &output)
    var count: Int32 = 0
    output.append(addingCapacity: Self.tagByteCount) { room in
      unsafe room.withUnsafeMutableBufferPointer { tag, initialized in
        let isDone = unsafe EVP_CipherFinal_ex(self.context, tag.baseAddress, &count) == 1
        let hasTag =
          unsafe EVP_CIPHER_CTX_ctrl(
            self.context,
            EVP_CTRL_AEAD_GET_TAG,
            Int32(Self.tagByteCount),
            tag.baseAddress
          ) == 1
        precondition(isDone && hasTag && count == 0, "encrypting bytes in memory does not fail")
        initialized = Self.tagByteCount
      }
    }
  }

  /// The message of a ciphertext with its tag; nil if it, the nonce or what goes with it is not as it was, or the key is
  /// another.
  public func open(
    _ sealed: borrowing Span<UInt8>,
    nonce: [UInt8],
    associated: borrowing Span<UInt8>
  ) -> [UInt8]? {
    let count = sealed.count - Self.tagByteCount
    guard count >= 0, self.begin(.opening, nonce) else { return nil }
    self.take(associated)
    var message: [UInt8] = []
    self.run(sealed.extracting(0..<count), into: &message)
    var tag = sealed.extracting(count..<sealed.count).copied
    let hasTag =
      unsafe EVP_CIPHER_CTX_ctrl(
        self.context,
        EVP_CTRL_AEAD_SET_TAG,
        Int32(Self.tagByteCount),
        &tag
      ) == 1
    var rest: Int32 = 0
    var nothing: UInt8 = 0
    guard hasTag, unsafe EVP_CipherFinal_ex(self.context, &nothing, &rest) == 1 else {
      // The queue must not tell the next call of this one.
      ERR_clear_error()
      return nil
    }
    return message
  }

  /// The same of a message with which nothing goes.
  public func seal(
    _ message: borrowing Span<UInt8>,
    nonce: [UInt8],
    into output: inout [UInt8]
  ) {
    let nothing: [UInt8] = []
    self.seal(message, nonce: nonce, associated: nothing.span, into: &output)
  }

  /// The same of a message with which nothing goes.
  public func open(_ sealed: borrowing Span<UInt8>, nonce: [UInt8]) -> [UInt8]? {
    let nothing: [UInt8] = []
    return self.open(sealed, nonce: nonce, associated: nothing.span)
  }

  /// Sets the nonce, and the key too where the direction is another than before.
  private func begin(_ mode: Mode, _ nonce: [UInt8]) -> Bool {
    guard nonce.count == Self.nonceByteCount else { return false }
    let direction: Int32 = mode == .sealing ? 1 : 0
    if self.mode == mode {
      return unsafe EVP_CipherInit_ex2(self.context, nil, nil, nonce, direction, nil) == 1
    }
    self.mode = mode
    return unsafe EVP_CipherInit_ex2(
      self.context,
      GaloisCounterMode.aes256.handle,
      self.key.bytes,
      nonce,
      direction,
      nil
    ) == 1
  }

  private func take(_ associated: borrowing Span<UInt8>) {
    guard !associated.isEmpty else { return }
    var count: Int32 = 0
    unsafe associated.withUnsafeBufferPointer { input in
      let done = unsafe EVP_CipherUpdate(
        self.context,
        nil,
        &count,
        input.baseAddress,
        Int32(clamping: input.count)
      )
      precondition(done == 1, "what goes with a message is in memory and short")
    }
  }

  private func run(_ input: borrowing Span<UInt8>, into output: inout [UInt8]) {
    guard !input.isEmpty else { return }
    precondition(input.count <= Int(Int32.max), "a message is a line, a frame or a record")
    unsafe input.withUnsafeBufferPointer { input in
      output.append(addingCapacity: input.count) { room in
        unsafe room.withUnsafeMutableBufferPointer { output, initialized in
          var count: Int32 = 0
          let done = unsafe EVP_CipherUpdate(
            self.context,
            output.baseAddress,
            &count,
            input.baseAddress,
            Int32(input.count)
          )
          let size = input.count
          precondition(done == 1 && count == size, "as many bytes come out as went in")
          initialized = size
        }
      }
    }
  }
}

/// The fetched cipher, kept for the life of the process.
@safe
private struct GaloisCounterMode: @unchecked Sendable {
  // Sendable: a fetched EVP_CIPHER is immutable, and this one is never freed.
  let handle: OpaquePointer

  static let aes256 = GaloisCounterMode()

  private init() {
    guard let handle = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else {
      preconditionFailure("OpenSSL's default provider has AES-256-GCM")
    }
    unsafe self.handle = handle
  }
}

extension Span<UInt8> {
  fileprivate var copied: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(self.count)
    for index in self.indices { bytes.append(self[index]) }
    return bytes
  }
}
