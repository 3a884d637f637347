internal import TideCore
internal import TideCrypto

/// The form of a file of bodies/ in an encrypted case.
///
/// ```
///   file     number: 16 bytes   frame frame …   end
///   frame    length: u32        ciphertext of a Zstandard frame, tag
///   end      length: u32 = 16   tag, which binds the file's name
/// ```
///
/// The key is the case's and the number's, the nonce the frame's place in the file: so no frame can be changed, moved,
/// left out or taken from another file, and no file cut.
enum SealedBody {
  static let numberByteCount = 16
  static let lengthByteCount = 4

  /// The number of a file that is not one of a recorder's many.
  static func randomNumber() throws(EvidenceFailure) -> [UInt8] {
    do throws(CryptoFailure) {
      return try RandomBytes.make(self.numberByteCount)
    } catch {
      throw EvidenceFailure(error)
    }
  }

  static func cipher(_ keys: CaseKeys, number: [UInt8]) -> AEAD {
    AEAD(KeyDerivation.hkdf(keys.bodies.bytes, salt: number, info: "tidewaiter body v1"))
  }

  static func nonce(_ index: UInt64, isEnd: Bool) -> [UInt8] {
    [0, 0, 0] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: index >> ($0 * 8)) }
      + [isEnd ? 1 : 0]
  }
}

/// Encrypts the frames of one file.
struct BodySealer {
  private let keys: CaseKeys
  private let number: [UInt8]
  private let cipher: AEAD
  private var index: UInt64

  /// Begins a file.
  ///
  /// - Parameters:
  ///   - keys: the case's.
  ///   - number: 16 bytes that no other file has.
  init(_ keys: CaseKeys, number: [UInt8]) {
    self.init(keys, number: number, after: 0)
  }

  /// Goes on with a file after so many frames.
  init(_ keys: CaseKeys, number: [UInt8], after count: UInt64) {
    self.keys = keys
    self.number = number
    self.cipher = SealedBody.cipher(keys, number: number)
    self.index = count
  }

  /// Writes a frame, after what comes before the first one.
  mutating func write(_ frame: Bytes, into output: inout [UInt8]) {
    if self.index == 0 { output.append(contentsOf: self.number) }
    self.writeLength(frame.count + AEAD.tagByteCount, into: &output)
    frame.withSpan {
      self.cipher.seal(
        $0,
        nonce: SealedBody.nonce(self.index, isEnd: false),
        into: &output
      )
    }
    self.index += 1
  }

  /// The end of a file that holds the content with this digest.
  func end(digest: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    self.writeLength(AEAD.tagByteCount, into: &output)
    let (nothing, name) = ([UInt8](), self.keys.name(of: digest))
    self.cipher.seal(
      nothing.span,
      nonce: SealedBody.nonce(self.index, isEnd: true),
      associated: name.span,
      into: &output
    )
    return output
  }

  private func writeLength(_ count: Int, into output: inout [UInt8]) {
    let count = UInt32(clamping: count)
    for shift in stride(from: 24, through: 0, by: -8) {
      output.append(UInt8(truncatingIfNeeded: count >> UInt32(shift)))
    }
  }
}

/// Decrypts the frames of one file.
struct BodyOpener {
  private let cipher: AEAD
  /// The file's number.
  let number: [UInt8]
  /// How many frames were opened.
  private(set) var count: UInt64 = 0

  init(_ keys: CaseKeys, number: [UInt8]) {
    self.cipher = SealedBody.cipher(keys, number: number)
    self.number = number
  }

  /// The next frame; nil if it is not as it was written.
  mutating func open(_ sealed: Bytes) -> Bytes? {
    let nonce = SealedBody.nonce(self.count, isEnd: false)
    let frame = sealed.withSpan { self.cipher.open($0, nonce: nonce) }
    self.count += 1
    return frame.map { Bytes($0) }
  }

  /// Whether this is the end of the file of that name, after as many frames as were opened.
  func isEnd(_ sealed: Bytes, name: [UInt8]) -> Bool {
    let nonce = SealedBody.nonce(self.count, isEnd: true)
    return sealed.withSpan { self.cipher.open($0, nonce: nonce, associated: name.span) } != nil
  }
}
