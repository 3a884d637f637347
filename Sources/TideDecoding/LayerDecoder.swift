public import TideCore

/// Opens one kind of layer, and closes it again over changed values.
///
/// A decoder keeps no state and knows nothing of what is searched for. Bytes come from a peer: nothing
/// about them may trap, and work is bounded by the budget.
public protocol LayerDecoder: Sendable {
  /// The name in the configuration and in `doctor`; unique.
  static var id: String { get }

  /// What opening again gives after `close`.
  var reopening: Reopening { get }

  /// Whether `open` is worth a try; a glance, without allocation.
  func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool

  /// What is inside `bytes`; nil if they are nothing of this kind.
  ///
  /// Declared types are hints: bytes decide. What costs is spent from `budget` first, and where that is
  /// refused the answer is nil. Nodes do not overlap, but for groups and what they hold.
  func open(_ bytes: Bytes, _ context: LayerContext, _ budget: inout DecodingBudget) -> Layer?

  /// `bytes` with the leaves at these indices of `layer.nodes` replaced, every other byte as it was as
  /// far as lengths and check sums of the format allow; nil if a value cannot be written there.
  ///
  /// `layer` was opened over bytes of the same count in which the same places hold what is not replaced
  /// here: verbatim leaves of `bytes` may have changed in place since. Opening the result gives the
  /// replaced values.
  func close(_ layer: Layer, over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes?
}

extension LayerDecoder {
  /// The decoder's id, where only a value of it is at hand.
  public var name: String { Self.id }
}

/// What is known of a run of bytes before it is opened.
public struct LayerContext: Sendable {
  /// Where the bytes stand.
  public enum Place: Sendable {
    /// The content of a message, or one unit of it.
    case content
    /// A request target before its `?`.
    case path
    /// A request target after its `?`.
    case query
    /// A header or trailer field's value.
    case field
    /// A Cookie or Set-Cookie field's value.
    case cookie
    /// A leaf of another layer.
    case leaf
  }

  /// Where the bytes stand.
  public var place: Place
  /// The declared media type in lower case without parameters; empty if there is none.
  public var mediaType: String
  /// The `boundary` parameter of a multipart type; nil if there is none.
  public var boundary: Bytes?
  /// The ids of the decoders whose layers are around, outermost first.
  public var around: [String]
  /// The keys of the operator's that payloads may be encrypted with.
  public var keys: [PayloadKey]

  /// Joins what is known.
  public init(
    place: Place,
    mediaType: String = "",
    boundary: Bytes? = nil,
    around: [String] = [],
    keys: [PayloadKey] = []
  ) {
    self.place = place
    self.mediaType = mediaType
    self.boundary = boundary
    self.around = around
    self.keys = keys
  }
}

/// A key under which an app's vendor encrypts payloads inside TLS: `sdk_keys` of a device's profile.
public struct PayloadKey: Hashable, Sendable {
  /// What it is called in findings' `encoding` and in notes.
  public let name: String
  /// The cipher with mode and padding, such as `AES-128-ECB-PKCS7`.
  public let algorithm: PayloadCipher
  /// The key.
  public let key: [UInt8]
  /// The initialisation vector; nil if there is none, or if it stands before the ciphertext.
  public let iv: [UInt8]?

  /// Joins a key.
  public init(name: String, algorithm: PayloadCipher, key: [UInt8], iv: [UInt8]?) {
    self.name = name
    self.algorithm = algorithm
    self.key = key
    self.iv = iv
  }
}

/// A cipher that payloads are encrypted with.
public struct PayloadCipher: Hashable, Sendable {
  /// The block cipher.
  public enum Cipher: String, Sendable { case aes128, aes192, aes256, des, tripleDES, tea, xtea }
  /// How blocks are chained.
  public enum Mode: String, Sendable { case ecb, cbc }
  /// How the last block is filled.
  public enum Padding: String, Sendable { case pkcs7, zero, none }

  /// The block cipher.
  public let cipher: Cipher
  /// How blocks are chained.
  public let mode: Mode
  /// How the last block is filled.
  public let padding: Padding

  /// Joins a cipher.
  public init(cipher: Cipher, mode: Mode, padding: Padding) {
    self.cipher = cipher
    self.mode = mode
    self.padding = padding
  }
}
