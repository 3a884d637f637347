internal import TideCrypto

/// Why a text names no cipher that payloads can be read with.
public struct PayloadCipherFailure: Error, Hashable, Sendable {
  /// For people: what is wrong, and what is possible.
  public let detail: String

  /// Joins a failure.
  init(_ detail: String) { self.detail = detail }
}

extension PayloadCipher {
  /// What `init(parsing:keyByteCount:)` understands, for messages.
  public static let possibilities =
    "AES-128, AES-192, AES-256, DES, 3DES, TEA or XTEA, then -ECB or -CBC, then -PKCS7, -ZERO or "
    + "-NONE: AES-128-ECB-PKCS7"

  /// Reads a profile's `alg`.
  ///
  /// Either case; the parts are joined by `-`, `/` or `_`, so that `AES/CBC/PKCS5Padding`, as it stands
  /// in an app's code, is understood as well. AES without a size takes it from the key, a cipher with
  /// blocks of 8 bytes without a mode is in ECB, and without a padding it is PKCS #7.
  ///
  /// - Parameters:
  ///   - text: what the profile says.
  ///   - keyByteCount: how many bytes its key has; nil if that is not known yet.
  /// - Throws: what is wrong with it; also if a key of that length does not fit.
  public init(
    parsing text: String,
    keyByteCount: Int? = nil
  ) throws(PayloadCipherFailure) {
    var parts = text.uppercased().split { "-/_ ".contains($0) }.map(String.init)
    guard !parts.isEmpty else { throw Self.unknown(text) }
    let name = parts.removeFirst()
    let cipher: Cipher
    switch name {
    case "AES", "AES128", "AES192", "AES256":
      var size = String(name.dropFirst(3))
      if size.isEmpty, let first = parts.first, ["128", "192", "256"].contains(first) {
        size = parts.removeFirst()
      }
      if size.isEmpty, let keyByteCount { size = String(keyByteCount * 8) }
      switch size {
      case "128": cipher = .aes128
      case "192": cipher = .aes192
      case "256": cipher = .aes256
      default: throw Self.unknown(text)
      }
    case "DES": cipher = .des
    case "3DES", "DESEDE", "TRIPLEDES", "TDES": cipher = .tripleDES
    case "TEA": cipher = .tea
    case "XTEA": cipher = .xtea
    default: throw Self.unknown(text)
    }
    let mode: Mode
    switch parts.first {
    case "ECB": mode = .ecb
    case "CBC": mode = .cbc
    case nil where cipher.blockCiphers[0].blockByteCount == 8: mode = .ecb
    default: throw Self.unknown(text)
    }
    let padding: Padding
    switch parts.dropFirst().first {
    case nil, "PKCS7", "PKCS5", "PKCS7PADDING", "PKCS5PADDING": padding = .pkcs7
    case "ZERO", "ZEROPADDING", "ZEROBYTEPADDING", "ZEROS": padding = .zero
    case "NONE", "NOPADDING": padding = .none
    default: throw Self.unknown(text)
    }
    guard parts.count <= 2 else { throw Self.unknown(text) }
    self.init(cipher: cipher, mode: mode, padding: padding)
    guard let keyByteCount, !self.keyByteCounts.contains(keyByteCount) else { return }
    let counts = self.keyByteCounts.map { "\($0)" }.joined(separator: " or ")
    throw PayloadCipherFailure("a key of \(name) has \(counts) bytes, not \(keyByteCount)")
  }

  /// How many bytes a key may have.
  public var keyByteCounts: [Int] { self.cipher.blockCiphers[0].keyByteCounts }

  /// How many bytes a block has, and so an initialisation vector.
  public var blockByteCount: Int { self.cipher.blockCiphers[0].blockByteCount }

  private static func unknown(_ text: String) -> PayloadCipherFailure {
    PayloadCipherFailure("`\(text.prefix(64))` is no known cipher: \(Self.possibilities)")
  }
}

extension PayloadCipher.Cipher {
  /// What to try: TEA has no byte order of its own, so both that programs use.
  var blockCiphers: [BlockCipher] {
    switch self {
    case .aes128: [.aes128]
    case .aes192: [.aes192]
    case .aes256: [.aes256]
    case .des: [.des]
    case .tripleDES: [.tripleDES]
    case .tea: [.tea, .littleEndianTEA]
    case .xtea: [.xtea, .littleEndianXTEA]
    }
  }

  /// What a finding's `encoding` calls it, before the mode.
  var label: String {
    switch self {
    case .aes128: "aes-128"
    case .aes192: "aes-192"
    case .aes256: "aes-256"
    case .des: "des"
    case .tripleDES: "3des"
    case .tea: "tea"
    case .xtea: "xtea"
    }
  }
}
