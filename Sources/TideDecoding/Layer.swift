public import TideCore

/// One layer taken off a run of bytes: what is inside, and where it stands.
///
/// A container (JSON, a form, protobuf) has many nodes and shows itself in paths; a coding (base64,
/// gzip) has one leaf and shows itself in a finding's `encoding`. Leaves stand in order of place, a
/// group before what it holds.
public struct Layer: Sendable {
  /// The id of the decoder that opened it, which alone can close it.
  public let decoder: String
  /// What a finding's `encoding` says of it, outermost first: `["base64"]`; empty for a container.
  public let names: [String]
  /// What is inside.
  public let nodes: [LayerNode]
  /// How names inside are written.
  public let keys: KeyCoding
  /// Whether no other reading of the same bytes is worth a try: magic bytes, a check sum, or a
  /// structure that chance does not make.
  public let isCertain: Bool
  /// What `close` needs beyond the original bytes, such as an alphabet; the decoder's own business.
  public let detail: Int
  /// The key that it was encrypted with, which `close` needs again; nil of everything else.
  public let key: PayloadKey?

  /// Joins a layer.
  public init(
    decoder: String,
    names: [String] = [],
    nodes: [LayerNode],
    keys: KeyCoding = .plain,
    isCertain: Bool,
    detail: Int = 0,
    key: PayloadKey? = nil
  ) {
    self.decoder = decoder
    self.names = names
    self.nodes = nodes
    self.keys = keys
    self.isCertain = isCertain
    self.detail = detail
    self.key = key
  }

  /// A coding: one value, which all of the bytes stand for.
  public init(
    decoder: String,
    names: [String],
    of bytes: Bytes,
    value: Bytes,
    isCertain: Bool,
    detail: Int = 0,
    key: PayloadKey? = nil
  ) {
    self.init(
      decoder: decoder,
      names: names,
      nodes: [LayerNode(range: 0..<bytes.count, content: .value(value))],
      isCertain: isCertain,
      detail: detail,
      key: key
    )
  }
}

/// How the names of a layer's nodes are written in its bytes.
public enum KeyCoding: Sendable {
  /// As they are.
  case plain
  /// With the escapes of JSON strings (RFC 8259 §7).
  case json
  /// Percent-encoded, `+` for a space (WHATWG URL).
  case form
  /// With XML's entities.
  case entities
}

/// One place inside a layer.
public struct LayerNode: Sendable {
  /// What a node holds.
  public enum Content: Sendable {
    /// Other nodes.
    case group
    /// A value that is written as it is: the bytes at `range`.
    case verbatim
    /// A value that is written differently: escaped, encoded, or a number in binary.
    case value(Bytes)
  }

  /// What kind of value a leaf is; what `close` is given for it must be the same kind.
  public enum Form: UInt8, Sendable {
    /// Text, or bytes of which nothing is known.
    case text
    /// A number in decimal digits, as in JSON.
    case number
    /// Binary numbers; the value is their decimal text. A varint's is the unsigned one.
    case varint, fixed32, fixed64, float32, float64
    /// Bytes that say they are no text (MessagePack bin, CBOR byte string, plist data).
    case bytes
  }

  /// The index of the group that it is in; nil at the top.
  public let parent: Int?
  /// What it is called there.
  public let key: LayerKey
  /// Where its value is written in the layer's bytes; of a string without its quotes.
  public let range: Range<Int>
  /// What it holds.
  public let content: Content
  /// What kind of value it is; `text` for a group.
  public let form: Form

  /// Joins a node.
  public init(
    parent: Int? = nil,
    key: LayerKey = .none,
    range: Range<Int>,
    content: Content,
    form: Form = .text
  ) {
    self.parent = parent
    self.key = key
    self.range = range
    self.content = content
    self.form = form
  }

  /// Whether it holds other nodes.
  public var isGroup: Bool {
    switch self.content {
    case .group: true
    case .verbatim, .value: false
    }
  }

  /// Its value, of a leaf in a layer opened over `bytes`; nil of a group.
  public func value(in bytes: Bytes) -> Bytes? {
    switch self.content {
    case .group: nil
    case .verbatim: bytes.slice(self.range)
    case .value(let value): value
    }
  }
}

/// What a node is called in its group.
public enum LayerKey: Hashable, Sendable {
  /// Nothing.
  case none
  /// By its place in a list, from 0.
  case index(Int)
  /// By a name that stands at this range of the layer's bytes, written as the layer's `keys` says.
  case name(Range<Int>)
  /// By a number: a protobuf field.
  case field(Int)
  /// By a name that stands nowhere: an XML attribute's owner, a plist member from an object table.
  case text(String)
}
