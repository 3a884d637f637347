internal import CCrypt
public import TideCore

/// A password as bcrypt keeps it: `$2y$COST$`, 22 characters of salt, 31 of hash.
///
/// bcrypt is slow on purpose: each step of the cost doubles the time, some 50 ms at 10 and 250 ms at 12.
public struct PasswordHash: Sendable {
  /// Why a text is not a hash that can be checked.
  public enum Refusal: Error, Hashable, Sendable {
    /// It is something other than bcrypt, or not a whole hash.
    case notBcrypt
    /// Checking one password at this cost would take seconds.
    case tooCostly(Int)
  }

  /// The highest cost that is accepted: about a second a password.
  public static let highestCost = 14

  /// The binary logarithm of the number of rounds.
  public let cost: Int
  /// The whole hash, which is also the setting that it was made with.
  private let text: [UInt8]

  private static let length = 60

  /// Reads a hash as `htpasswd -B` writes it.
  ///
  /// The prefixes `$2y$`, `$2b$` and `$2a$` name the same algorithm in its corrected forms; `$2x$` is the
  /// broken one and refused, as are MD5, SHA-1, crypt and plain text.
  ///
  /// - Throws: what is wrong with it.
  public init(_ text: Bytes) throws(Refusal) {
    let bytes = text.array
    guard bytes.count == Self.length, bytes[0] == 0x24, bytes[1] == 0x32,
      [0x61, 0x62, 0x79].contains(bytes[2]), bytes[3] == 0x24, bytes[6] == 0x24,
      ASCII.isDigit(bytes[4]), ASCII.isDigit(bytes[5]),
      bytes[7...].allSatisfy(Self.isDigitOfHash)
    else { throw .notBcrypt }
    let cost = Int(bytes[4] - 0x30) * 10 + Int(bytes[5] - 0x30)
    guard cost >= 4 else { throw .notBcrypt }
    guard cost <= Self.highestCost else { throw .tooCostly(cost) }
    self.cost = cost
    self.text = bytes
  }

  private init(text: [UInt8], cost: Int) {
    self.text = text
    self.cost = cost
  }

  /// A hash of no password, which takes as long to check as one of `cost`.
  ///
  /// It stands for users that there are not, so that time does not tell who there is.
  public static func ofNobody(cost: Int) -> PasswordHash {
    let cost = min(max(cost, 4), Self.highestCost)
    let salt = String(repeating: ".", count: 22)
    // The last digit of a hash has six bits of which bcrypt's 184 leave two to be 0: "/" sets them.
    let hash = String(repeating: "/", count: 31)
    let text = "$2y$\(cost < 10 ? "0" : "")\(cost)$\(salt)\(hash)"
    return PasswordHash(text: Array(text.utf8), cost: cost)
  }

  /// Whether this is the hash of `password`; takes as long as `cost` says, so never on an event loop.
  ///
  /// bcrypt looks at the first 72 bytes. A password with a NUL, which C would end at, is never right.
  public func matches(_ password: Bytes) -> Bool {
    let isWhole = !password.contains(0)
    let looked = isWhole ? password.slice(0..<min(password.count, Self.phraseLimit)) : Bytes()
    let phrase = looked.map(CChar.init(bitPattern:)) + [0]
    let setting = self.text.map(CChar.init(bitPattern:)) + [0]
    var workspace = [UInt8](repeating: 0, count: MemoryLayout<crypt_data>.size)
    let made: [UInt8] = unsafe workspace.withUnsafeMutableBytes { room in
      guard
        let made = unsafe crypt_rn(phrase, setting, room.baseAddress, Int32(clamping: room.count))
      else { return [] }
      return unsafe Array(String(cString: made).utf8)
    }
    return ConstantTime.equal(made, self.text) && isWhole
  }

  /// More than bcrypt looks at, less than libxcrypt refuses (CRYPT_MAX_PASSPHRASE_SIZE).
  private static let phraseLimit = 128

  /// bcrypt's own base64: `./A-Za-z0-9`.
  private static func isDigitOfHash(_ byte: UInt8) -> Bool {
    ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26 || byte == 0x2E || byte == 0x2F
  }
}
