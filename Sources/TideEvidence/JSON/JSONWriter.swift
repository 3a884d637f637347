internal import TideCore
internal import TideCrypto

/// Writes JSON (RFC 8259) at the end of a byte array: no white space, members in the order given.
///
/// By hand because a line's bytes are what is hashed, and because it runs for every event. Strings of
/// ours are well-formed UTF-8 already; bytes that may not be are written as base64.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []
  /// Where the members of the line begin that an encrypted case does not show.
  private var hiddenFrom = 0

  /// Hands over what is written but for the last byte, which tells whether a comma is needed next.
  mutating func takeAllButLast() -> [UInt8] {
    guard let last = self.bytes.popLast() else { return [] }
    defer { self.bytes = [last] }
    return self.bytes
  }

  /// Members that were written until now stay in the clear in an encrypted case, those that follow do not.
  mutating func hideWhatFollows() { self.hiddenFrom = self.bytes.count }

  /// Puts one member in the place of those that are to be hidden.
  ///
  /// - Parameters:
  ///   - sealer: hides them.
  ///   - start: where the line begins.
  ///   - sequence: its number.
  mutating func hide(with sealer: LineSealer, lineStart start: Int, sequence: UInt64) {
    let sealed = sealer.seal(
      self.bytes.span.extracting(self.hiddenFrom..<self.bytes.count),
      after: self.bytes.span.extracting(start..<self.hiddenFrom),
      sequence: sequence
    )
    self.bytes.removeSubrange(self.hiddenFrom..<self.bytes.count)
    self.bytes.append(contentsOf: LineSealer.opening)
    Base64.standard.encode(sealed.span, into: &self.bytes)
    self.bytes.append(0x22)
  }

  mutating func removeAll() { self.bytes.removeAll(keepingCapacity: true) }

  mutating func beginObject() { self.open(0x7B) }

  mutating func beginArray() { self.open(0x5B) }

  mutating func endObject() { self.bytes.append(0x7D) }

  mutating func endArray() { self.bytes.append(0x5D) }

  mutating func endLine() { self.bytes.append(0x0A) }

  /// Begins a member; the name needs no escape.
  mutating func key(_ name: StaticString) {
    let needsComma = self.needsComma
    name.withUTF8Buffer { name in
      self.bytes.append(addingCapacity: name.count + 4) { output in
        unsafe output.withUnsafeMutableBufferPointer { room, initialized in
          var end = 0
          if needsComma {
            unsafe room[0] = 0x2C
            end = 1
          }
          unsafe room[end] = 0x22
          end = unsafe room[(end + 1)...].update(fromContentsOf: name)
          unsafe room[end] = 0x22
          unsafe room[end + 1] = 0x3A
          initialized = end + 2
        }
      }
    }
  }

  /// Begins a member whose name is not our own.
  mutating func key(text name: String) {
    self.value(name)
    self.bytes.append(0x3A)
  }

  /// Text that is known to be JSON already, such as members written once and kept.
  mutating func raw(_ text: some Collection<UInt8>) {
    self.separate()
    self.bytes.append(contentsOf: text)
  }

  mutating func null() { self.raw("null".utf8) }

  mutating func value(_ flag: Bool) { self.raw(flag ? "true".utf8 : "false".utf8) }

  mutating func value(_ number: UInt64) {
    self.separate()
    self.digits(number)
  }

  mutating func value(_ number: Int) {
    self.separate()
    if number < 0 { self.bytes.append(0x2D) }
    self.digits(UInt64(number.magnitude))
  }

  mutating func value(_ text: String) {
    self.separate()
    let span = text.utf8.span
    var needsEscape = false
    for index in span.indices where Self.needsEscape(span[index]) { needsEscape = true }
    guard !needsEscape else {
      self.bytes.append(0x22)
      for byte in text.utf8 { self.escaped(byte) }
      self.bytes.append(0x22)
      return
    }
    self.bytes.append(0x22)
    self.bytes.append(contentsOf: text.utf8)
    self.bytes.append(0x22)
  }

  /// JSON as it stands here, commas included, around text that needs no escape: for what every line has.
  mutating func literal(_ opening: StaticString, _ text: [UInt8] = [], _ closing: StaticString = "")
  {
    let most = opening.utf8CodeUnitCount + text.count + closing.utf8CodeUnitCount
    self.bytes.append(addingCapacity: most) { output in
      unsafe output.withUnsafeMutableBufferPointer { room, initialized in
        var end = opening.withUTF8Buffer { unsafe room.update(fromContentsOf: $0) }
        unsafe text.withUnsafeBufferPointer { end = unsafe room[end...].update(fromContentsOf: $0) }
        closing.withUTF8Buffer { end = unsafe room[end...].update(fromContentsOf: $0) }
        initialized = end
      }
    }
  }

  /// Begins a string that is written piece by piece: `text` or `digits`, then `endString`.
  mutating func beginString() { self.open(0x22) }

  /// More of a string that `beginString` began: well-formed UTF-8, but a scalar may go on in the next piece.
  mutating func text(_ piece: Bytes) {
    piece.withSpan { span in
      var start = 0
      for index in span.indices where Self.needsEscape(span[index]) {
        self.append(span.extracting(start..<index))
        self.escaped(span[index])
        start = index + 1
      }
      self.append(span.extracting(start..<span.count))
    }
  }

  /// More of a string in base64; all pieces but the last have a multiple of three bytes.
  mutating func digits(_ piece: Bytes) {
    piece.withSpan { Base64.standard.encode($0, into: &self.bytes) }
  }

  /// Ends what `beginString` began.
  mutating func endString() { self.bytes.append(0x22) }

  mutating func base64(_ content: Bytes) {
    self.separate()
    self.bytes.append(0x22)
    content.withSpan { Base64.standard.encode($0, into: &self.bytes) }
    self.bytes.append(0x22)
  }

  /// A time in quotes, where no comma is needed: the part down to the second as kept, then microseconds.
  mutating func time(_ prefix: [UInt8], microseconds: Int64) {
    self.literal("\"", prefix)
    self.digits(UInt64(clamping: microseconds), count: 6)
    self.literal("Z\"")
  }

  mutating func hex(_ content: [UInt8]) {
    self.separate()
    self.bytes.append(0x22)
    Hex.encode(content.span, into: &self.bytes)
    self.bytes.append(0x22)
  }

  /// `f-000042`: a letter, a hyphen and at least six digits.
  mutating func identifier(_ letter: UInt8, _ number: UInt64) {
    self.separate()
    self.bytes.append(0x22)
    self.bytes.append(letter)
    self.bytes.append(0x2D)
    var limit: UInt64 = 100_000
    while limit > 1, number < limit {
      self.bytes.append(0x30)
      limit /= 10
    }
    self.digits(number)
    self.bytes.append(0x22)
  }

  private mutating func append(_ span: Span<UInt8>) {
    self.bytes.append(addingCapacity: span.count) { output in
      for index in span.indices { output.append(span[index]) }
    }
  }

  private mutating func open(_ bracket: UInt8) {
    self.separate()
    self.bytes.append(bracket)
  }

  /// Whether a comma must come first: not where what stands before opens an object or array, names a
  /// member or ends a line.
  private var needsComma: Bool {
    switch self.bytes.last {
    case nil, 0x7B, 0x5B, 0x3A, 0x0A: false
    case .some: true
    }
  }

  private mutating func separate() {
    if self.needsComma { self.bytes.append(0x2C) }
  }

  /// A number, where no comma is needed.
  mutating func digits(_ number: UInt64) {
    var count = 1
    var rest = number / 10
    while rest > 0 {
      rest /= 10
      count += 1
    }
    self.digits(number, count: count)
  }

  /// The last `count` digits.
  private mutating func digits(_ number: UInt64, count: Int) {
    self.bytes.append(addingCapacity: count) { output in
      unsafe output.withUnsafeMutableBufferPointer { room, initialized in
        var rest = number
        for index in stride(from: count - 1, through: 0, by: -1) {
          unsafe room[index] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
          rest /= 10
        }
        initialized = count
      }
    }
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x22 || byte == 0x5C
  }

  private mutating func escaped(_ byte: UInt8) {
    switch byte {
    case 0x22, 0x5C:
      self.bytes.append(0x5C)
      self.bytes.append(byte)
    case 0x0A: self.bytes.append(contentsOf: "\\n".utf8)
    case 0x0D: self.bytes.append(contentsOf: "\\r".utf8)
    case 0x09: self.bytes.append(contentsOf: "\\t".utf8)
    case 0..<0x20:
      self.bytes.append(contentsOf: "\\u00".utf8)
      Hex.encode([byte].span, into: &self.bytes)
    default: self.bytes.append(byte)
    }
  }
}

extension JSONWriter {
  mutating func member(_ name: StaticString, _ text: String) {
    self.key(name)
    self.value(text)
  }

  mutating func member(_ name: StaticString, _ text: String?) {
    self.key(name)
    if let text { self.value(text) } else { self.null() }
  }

  mutating func member(_ name: StaticString, _ number: UInt64) {
    self.key(name)
    self.value(number)
  }

  mutating func member(_ name: StaticString, _ number: UInt64?) {
    self.key(name)
    if let number { self.value(number) } else { self.null() }
  }

  mutating func member(_ name: StaticString, _ number: Int) {
    self.key(name)
    self.value(number)
  }

  mutating func member(_ name: StaticString, _ flag: Bool) {
    self.key(name)
    self.value(flag)
  }

  mutating func member(_ name: StaticString, _ texts: [String]) {
    self.key(name)
    self.beginArray()
    for text in texts { self.value(text) }
    self.endArray()
  }

  mutating func member(_ name: StaticString, _ flow: FlowID) {
    self.key(name)
    self.identifier(0x66, flow.number)
  }

  mutating func member(_ name: StaticString, _ flow: FlowID?) {
    self.key(name)
    if let flow { self.identifier(0x66, flow.number) } else { self.null() }
  }

  mutating func member(_ name: StaticString, _ connection: ConnectionID) {
    self.key(name)
    self.identifier(0x63, connection.number)
  }
}
