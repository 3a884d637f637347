public import TideCore
internal import TideCrypto

/// A value encrypted inside TLS under a key that the operator knows: `sdk_keys` of a device's profile.
///
/// Each key is tried where the length is right. A reading counts if its padding is right and what comes
/// out is text, begins as a known format, unpacks, or opens as a container. In CBC the vector is the key's own; else
/// zero, or the first block of the value, whichever makes sense.
public struct CipherCoding: LayerDecoder {
  /// The name in the configuration; in findings it is the cipher's with the key's: `aes-128-ecb:vendor`.
  public static let id = "cipher"

  /// It goes by what a value looks like.
  public let reopening = Reopening.uncertain

  /// Makes one.
  public init() {}

  /// Whether there are keys, and the bytes are blocks and no text.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    !context.keys.isEmpty && shape.count >= 8 && shape.count & 7 == 0
      && !shape.classes.isDisjoint(with: [.control, .high])
  }

  /// The decrypted value without its padding.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    var best: Reading?
    for key in context.keys {
      for (cipher, blockCipher) in key.algorithm.cipher.blockCiphers.enumerated() {
        guard bytes.count % blockCipher.blockByteCount == 0 else { break }
        for vector in Vector.possible(key) {
          guard budget.goOn(bytes.count),
            let reading = Self.read(
              bytes,
              key,
              Detail(cipher: cipher, vector: vector, padding: 0),
              context,
              &budget
            )
          else { continue }
          if reading.proof == .value {
            return Self.layer(reading, over: bytes, &budget)
          }
          if best.map({ $0.proof.rawValue < reading.proof.rawValue }) ?? true { best = reading }
        }
      }
    }
    return best.flatMap { Self.layer($0, over: bytes, &budget) }
  }

  /// The new value padded and encrypted under the same key and vector.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    guard let key = layer.key, let detail = Detail(packed: layer.detail),
      let cipher = detail.blockCipher(key),
      let chaining = detail.chaining(key, cipher, bytes),
      let padded = Self.padded(value, key.algorithm.padding, cipher.blockByteCount, detail.padding)
    else { return nil }
    do throws(CryptoFailure) {
      let encrypted = try cipher.encrypt(padded, key: key.key, chaining: chaining)
      guard detail.vector == .inFront else { return encrypted }
      var written = bytes.slice(0..<cipher.blockByteCount)
      written.append(encrypted)
      return written
    } catch {
      return nil
    }
  }

  /// What speaks for a reading, the weakest first.
  private enum Proof: Int {
    /// Right padding that is no chance: of the key in ECB, but of the last blocks only in CBC.
    case padding
    /// A container opens.
    case container
    /// It is text, begins as a known format, or unpacks.
    case value
  }

  /// What comes out under one key.
  private struct Reading {
    let value: Bytes
    let key: PayloadKey
    let detail: Detail
    let proof: Proof
  }

  private static func layer(
    _ reading: Reading,
    over bytes: Bytes,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.spend(bytes: reading.value.count) else { return nil }
    let algorithm = reading.key.algorithm
    return Layer(
      decoder: Self.id,
      names: ["\(algorithm.cipher.label)-\(algorithm.mode.rawValue):\(reading.key.name)"],
      of: bytes,
      value: reading.value,
      // A few letters and one byte of padding may be chance.
      isCertain: reading.proof == .value
        && reading.value.count + reading.detail.padding >= 16,
      detail: reading.detail.packed,
      key: reading.key
    )
  }

  private static func read(
    _ bytes: Bytes,
    _ key: PayloadKey,
    _ detail: Detail,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Reading? {
    guard let cipher = detail.blockCipher(key),
      let chaining = detail.chaining(key, cipher, bytes)
    else { return nil }
    let start = detail.vector == .inFront ? cipher.blockByteCount : 0
    guard bytes.count > start else { return nil }
    let decrypted: Bytes
    do throws(CryptoFailure) {
      decrypted = try cipher.decrypt(bytes.dropping(first: start), key: key.key, chaining: chaining)
    } catch {
      return nil
    }
    guard
      let padding = Self.padding(of: decrypted, key.algorithm.padding, cipher.blockByteCount)
    else { return nil }
    let value = decrypted.slice(0..<decrypted.count - padding)
    guard !value.isEmpty else { return nil }
    let proof: Proof
    if Readable.isText(value) || Plausible.hasMagic(value)
      || Readable.isUTF16(value, context, &budget)
      || Readable.isCompressed(value, context, &budget)
    {
      proof = .value
    } else if Plausible.isContainer(value, context, &budget) {
      proof = .container
    } else if key.algorithm.padding == .pkcs7, Readable.isHidden(value, context, &budget) {
      proof = .value
    } else if key.algorithm.padding == .pkcs7, padding >= Self.tellingPadding(value, cipher) {
      proof = .padding
    } else {
      return nil
    }
    let found = Detail(cipher: detail.cipher, vector: detail.vector, padding: padding)
    return Reading(value: value, key: key, detail: found, proof: proof)
  }

  /// How many bytes of right padding are no chance: of a value of a block or less, such as six bytes of a
  /// link address, there cannot be many.
  private static func tellingPadding(_ value: Bytes, _ cipher: BlockCipher) -> Int {
    value.count < cipher.blockByteCount ? 2 : 4
  }

  /// How many bytes of padding there are; nil if it is wrong.
  private static func padding(
    of bytes: Bytes,
    _ padding: PayloadCipher.Padding,
    _ blockByteCount: Int
  ) -> Int? {
    switch padding {
    case .none: return 0
    case .zero: return bytes.suffix(blockByteCount).reversed().prefix { $0 == 0 }.count
    case .pkcs7:
      // RFC 5652 §6.3.
      guard let last = bytes.last, 1...blockByteCount ~= Int(last),
        bytes.suffix(Int(last)).allSatisfy({ $0 == last })
      else { return nil }
      return Int(last)
    }
  }

  /// The value filled up to whole blocks; nil if its padding does not allow its length.
  private static func padded(
    _ value: Bytes,
    _ padding: PayloadCipher.Padding,
    _ blockByteCount: Int,
    _ before: Int
  ) -> Bytes? {
    let lacking = (blockByteCount - value.count % blockByteCount) % blockByteCount
    switch padding {
    case .none: return lacking == 0 ? value : nil
    // Some fill a whole block where nothing is lacking, and did so before.
    case .zero:
      let count = lacking == 0 && before == blockByteCount ? before : lacking
      return Bytes(value.array + [UInt8](repeating: 0, count: count))
    case .pkcs7:
      let count = blockByteCount - value.count % blockByteCount
      return Bytes(value.array + [UInt8](repeating: UInt8(count), count: count))
    }
  }

  /// Where the initialisation vector is.
  private enum Vector: Int {
    /// There is none.
    case none
    /// With the key.
    case given
    /// It is zero.
    case zero
    /// Before the ciphertext.
    case inFront

    static func possible(_ key: PayloadKey) -> [Vector] {
      switch key.algorithm.mode {
      case .ecb: [.none]
      // In this order: with zero for a vector that is in front, the first block is no text; the other
      // way round the first block would be lost.
      case .cbc: key.iv == nil ? [.zero, .inFront] : [.given, .zero, .inFront]
      }
    }
  }

  /// What `close` needs to know of a reading.
  private struct Detail {
    /// The index in the cipher's `blockCiphers`.
    let cipher: Int
    let vector: Vector
    /// Bytes of padding.
    let padding: Int

    init(cipher: Int, vector: Vector, padding: Int) {
      self.cipher = cipher
      self.vector = vector
      self.padding = padding
    }

    init?(packed: Int) {
      guard let vector = Vector(rawValue: packed >> 8 & 0xFF) else { return nil }
      self.init(cipher: packed & 0xFF, vector: vector, padding: packed >> 16 & 0xFF)
    }

    var packed: Int { self.cipher | self.vector.rawValue << 8 | self.padding << 16 }

    func blockCipher(_ key: PayloadKey) -> BlockCipher? {
      let ciphers = key.algorithm.cipher.blockCiphers
      return ciphers.indices.contains(self.cipher) ? ciphers[self.cipher] : nil
    }

    func chaining(
      _ key: PayloadKey,
      _ cipher: BlockCipher,
      _ bytes: Bytes
    ) -> BlockCipher.Chaining? {
      switch self.vector {
      case .none: .ecb
      case .given: key.iv.map { .cbc(iv: $0) }
      case .zero: .cbc(iv: [UInt8](repeating: 0, count: cipher.blockByteCount))
      case .inFront:
        bytes.count < cipher.blockByteCount
          ? nil : .cbc(iv: bytes.slice(0..<cipher.blockByteCount).array)
      }
    }
  }
}
