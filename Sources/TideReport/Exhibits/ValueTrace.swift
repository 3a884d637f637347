internal import TideCore
internal import TideCrypto
internal import TideDecoding

/// Opens recorded bytes again, by the same decoders, down to where a finding says its value was.
///
/// A finding has the outermost place (offset and length in the part), the path and the codings, but not
/// which of several readings was taken. So all that fit both are followed, and of what they lead to the one
/// is taken that can be shown to be right; where none can, the element that the record names is shown.
struct ValueTrace {
  /// The part of a message that a finding is in.
  struct Part {
    /// Its bytes, content coding off.
    let bytes: Bytes
    /// What its decoders are told.
    let context: LayerContext
    /// Where its first byte stands in what the finding counts from.
    var base = 0
    /// The layers already taken off, outermost first.
    var layers: [String] = []
    /// The one name of all that is inside; empty if places have names of their own.
    var name = ""
  }

  /// What is looked for.
  struct Target {
    let path: String
    /// Codings, outermost first; of a plain value none.
    let encoding: [String]
    let range: Range<Int>
  }

  /// A layer on the way.
  struct Step: Hashable {
    /// The decoder that opened it.
    let decoder: String
    /// What the finding's `encoding` calls it; empty for a container.
    let names: [String]
    /// Where the next one stands in it; empty if there is but one place.
    let path: String
  }

  /// How the box was drawn.
  enum Basis: Int {
    /// Around the element that the record names: where in it the value is cannot be told.
    case element
    /// Around the one run in the element that is as long as the digest.
    case shape
    /// Around the bytes that offset and length name.
    case recorded
    /// Around the bytes that give the finding's HMAC.
    case checked
  }

  /// What was found.
  struct Found {
    let steps: [Step]
    /// Codings of the value itself that were not opened: a digest, base64 of the value alone.
    let written: [String]
    /// The innermost bytes that were opened.
    let bytes: Bytes
    /// The value in them.
    let box: Range<Int>
    let basis: Basis
  }

  private static let deepest = 12
  private static let mostOpenings = 4_000

  private let target: Target
  private var check: ValueCheck?
  private var budget = DecodingBudget(bytes: 64 << 20, nodes: 1 << 20, depth: 12, ratio: 1_000)
  private var openings = 0
  private var best: Found?

  init(_ target: Target, _ check: ValueCheck?) {
    self.target = target
    self.check = check
  }

  /// Follows the finding into a part; nil if its place is not in it.
  mutating func find(in part: Part) -> Found? {
    let range =
      self.target.range.lowerBound - part.base..<self.target.range.upperBound - part.base
    guard range.lowerBound >= 0, range.upperBound <= part.bytes.count, !range.isEmpty,
      self.target.encoding.starts(with: part.layers)
    else { return nil }
    let rest = self.target.encoding.dropFirst(part.layers.count)
    for decoder in Decoders.all {
      guard let layer = self.open(decoder, part.bytes, part.context) else { continue }
      self.follow(layer, decoder, part, range, Array(rest))
    }
    if self.best == nil || self.best?.basis == .element, self.isWritten(Array(rest)) {
      // No layer around it that opens by itself: the place is still the recorded one.
      self.offer(
        Found(
          steps: [],
          written: Array(rest),
          bytes: part.bytes,
          box: range,
          basis: self.isValue(part.bytes.slice(range), Array(rest)) ? .checked : .recorded
        )
      )
    }
    return self.best
  }

  // MARK: The outermost layer

  private mutating func follow(
    _ layer: Layer,
    _ decoder: any LayerDecoder,
    _ part: Part,
    _ range: Range<Int>,
    _ rest: [String]
  ) {
    for (index, node) in layer.nodes.enumerated() {
      guard !node.isGroup, node.range.lowerBound <= range.lowerBound,
        node.range.upperBound >= range.upperBound
      else { continue }
      let inner = layer.placeName(of: index, in: part.bytes)
      let path = Self.joined(part.name, inner)
      let step = Step(decoder: decoder.name, names: layer.names, path: inner)
      if node.range == range, let value = node.value(in: part.bytes), rest.starts(with: layer.names)
      {
        var context = part.context
        context.enter(layer.decoder)
        self.descend(
          value,
          context,
          Array(rest.dropFirst(layer.names.count)),
          path,
          [step]
        )
      }
      // Written as it is: the record names its very bytes.
      guard case .verbatim = node.content, layer.names.isEmpty, path == self.target.path,
        self.isWritten(rest)
      else { continue }
      let isValue = self.isValue(part.bytes.slice(range), rest)
      self.offer(
        Found(
          steps: [step],
          written: rest,
          bytes: part.bytes,
          box: range,
          basis: isValue ? .checked : .recorded
        )
      )
    }
  }

  // MARK: Inside

  private mutating func descend(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ rest: [String],
    _ path: String,
    _ steps: [Step]
  ) {
    guard steps.count <= Self.deepest, !self.isDone else { return }
    if path == self.target.path, self.isWritten(rest) { self.locate(bytes, rest, steps) }
    guard bytes.count >= 4 else { return }
    for decoder in Decoders.all {
      guard let layer = self.open(decoder, bytes, context), rest.starts(with: layer.names) else {
        continue
      }
      var inner = context
      inner.enter(layer.decoder)
      for (index, node) in layer.nodes.enumerated() {
        guard let value = node.value(in: bytes), !value.isEmpty else { continue }
        let name = layer.placeName(of: index, in: bytes)
        let next = Self.joined(path, name)
        guard next == self.target.path || self.target.path.hasPrefix(next + " > ") else { continue }
        self.descend(
          value,
          inner,
          Array(rest.dropFirst(layer.names.count)),
          next,
          steps + [Step(decoder: decoder.name, names: layer.names, path: name)]
        )
      }
    }
  }

  /// Whether nothing better can be found: the value itself, opened and shown to be right.
  private var isDone: Bool { self.best.map { $0.basis == .checked && $0.written.isEmpty } ?? false }

  /// Finds the value in the bytes that the path leads to.
  private mutating func locate(_ bytes: Bytes, _ rest: [String], _ steps: [Step]) {
    if rest.isEmpty {
      let range = self.check?.range(in: bytes)
      self.offer(
        Found(
          steps: steps,
          written: [],
          bytes: bytes,
          box: range ?? 0..<bytes.count,
          basis: range == nil ? .element : .checked
        )
      )
      return
    }
    if self.isValue(bytes, rest) {
      self.offer(
        Found(steps: steps, written: rest, bytes: bytes, box: 0..<bytes.count, basis: .checked)
      )
      return
    }
    let range = DigestShape(rest)?.onlyRun(in: bytes)
    self.offer(
      Found(
        steps: steps,
        written: rest,
        bytes: bytes,
        box: range ?? 0..<bytes.count,
        basis: range == nil ? .element : .shape
      )
    )
  }

  /// Keeps the better one: what is shown to be right, then what was opened furthest.
  private mutating func offer(_ found: Found) {
    guard let best = self.best else {
      self.best = found
      return
    }
    let isBetter =
      (found.basis.rawValue, -found.written.count, found.steps.count)
      > (best.basis.rawValue, -best.written.count, best.steps.count)
    if isBetter { self.best = found }
  }

  private mutating func open(
    _ decoder: any LayerDecoder,
    _ bytes: Bytes,
    _ context: LayerContext
  ) -> Layer? {
    guard self.openings < Self.mostOpenings, decoder.mayOpen(Shape(bytes), context) else {
      return nil
    }
    self.openings += 1
    return decoder.open(bytes, context, &self.budget)
  }

  /// Whether what is left of the codings may be how the value itself is written.
  private func isWritten(_ rest: [String]) -> Bool {
    let known: Set<String> = [
      "percent", "base64", "base64url", "base32", "hex", "entities", "bytes", "joined", "bcd",
      "utf16", "md5", "sha1", "sha256", "reversed",
    ]
    return rest.allSatisfy { name in
      known.contains(name) || name.hasPrefix("cut") || name.hasPrefix("utf16")
        || name.hasPrefix("gb") || name.hasPrefix("big5") || name.hasPrefix("sha")
    }
  }

  /// Whether bytes, written so, are the value.
  private mutating func isValue(_ bytes: Bytes, _ written: [String]) -> Bool {
    var value = bytes
    for name in written {
      switch name {
      case "hex": value = Bytes(Hex.decode(value) ?? [])
      case "base64": value = Bytes(Base64.standard.decode(value) ?? [])
      case "base64url": value = Bytes(Base64.url.decode(value) ?? [])
      case "bytes": value = Bytes(Hex.encode(value.array))
      case "utf16be": value = Self.text(fromUTF16: value)
      default: return false
      }
    }
    return self.check?.holds(value) ?? false
  }

  private static func text(fromUTF16 bytes: Bytes) -> Bytes {
    let units = stride(from: 0, to: bytes.count - 1, by: 2).map {
      UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
    }
    return Bytes(String(decoding: units, as: UTF16.self))
  }

  private static func joined(_ outer: String, _ inner: String) -> String {
    outer.isEmpty || inner.isEmpty ? outer + inner : "\(outer) > \(inner)"
  }
}

/// What a digest looks like.
private struct DigestShape {
  private let count: Int
  private let isHexadecimal: Bool

  /// By the names that a finding has of it; nil if they are of no digest.
  init?(_ names: [String]) {
    let sizes = ["md5": 16, "sha1": 20, "sha256": 32]
    guard let size = names.lazy.compactMap({ sizes[$0] }).first else { return nil }
    let isBase64 = names.contains("base64") || names.contains("base64url")
    let cut = names.lazy.filter { $0.hasPrefix("cut") }.compactMap { Int($0.dropFirst(3)) }.first
    guard !names.contains("bytes") else { return nil }
    self.isHexadecimal = !isBase64
    self.count = cut ?? (isBase64 ? (size * 8 + 5) / 6 : size * 2)
  }

  /// The one run of digits of that length; nil if there is none, or more than one.
  func onlyRun(in bytes: Bytes) -> Range<Int>? {
    var runs: [Range<Int>] = []
    var start: Int?
    for (index, byte) in bytes.enumerated() {
      if self.isDigit(byte) {
        start = start ?? index
        continue
      }
      if let first = start, index - first == self.count { runs.append(first..<index) }
      start = nil
    }
    if let first = start, bytes.count - first == self.count { runs.append(first..<bytes.count) }
    return runs.count == 1 ? runs.first : nil
  }

  private func isDigit(_ byte: UInt8) -> Bool {
    if self.isHexadecimal { return ASCII.hexValue(byte) != nil }
    return ASCII.isDigit(byte) || ASCII.lowercased(byte) &- 0x61 < 26
      || [0x2B, 0x2F, 0x2D, 0x5F].contains(byte)
  }
}

extension Layer {
  /// The place of a node as findings name it: of a form, a query or a cookie its member's name alone.
  fileprivate func placeName(of node: Int, in bytes: Bytes) -> String {
    guard self.names.isEmpty else { return "" }
    switch self.decoder {
    case "form", "query", "cookie": return self.key(of: node, in: bytes) ?? ""
    case "path": return ""
    default: return self.path(of: node, in: bytes)
    }
  }
}

extension LayerContext {
  /// Goes into a layer.
  fileprivate mutating func enter(_ decoder: String) {
    self.place = .leaf
    self.mediaType = ""
    self.boundary = nil
    self.around.append(decoder)
  }
}
