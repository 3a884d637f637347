import TideCore

/// Goes once through JSON text and notes what stands where.
///
/// Nesting is kept on a stack of its own, so depth costs nodes, not the thread's stack.
struct JSONScanner {
  /// An open object or array.
  private struct Frame {
    let node: Int
    let isObject: Bool
    /// How many commas there were.
    var index = 0
    /// The member's name; nil before it.
    var name: Range<Int>?
    var hasColon = false
    /// Whether a value stands since the last comma.
    var hasValue = false
  }

  /// What was found; the first node is the document, the second its first value.
  var list = NodeList()
  /// How often the text was not JSON.
  private(set) var looseness = 0
  private let bytes: Bytes
  private var outer: [Frame] = []
  private var values = 0
  /// Where the number of nodes was last foreseen.
  private var foreseen = 0
  private var leaves = 0
  /// Whether a string or a named value was seen: what prose in brackets has none of.
  private var hasStrings = false

  init(_ bytes: Bytes) { self.bytes = bytes }

  /// Whether what was found is worth calling JSON.
  var isPlausible: Bool {
    if self.list.isRefused || self.values == 0 { return false }
    if self.looseness == 0 { return true }
    return self.hasStrings && self.looseness <= 2 + self.leaves / 8
  }

  /// Reads values until the end.
  mutating func scan(from start: Int, _ budget: inout DecodingBudget) {
    let whole = LayerNode(range: start..<self.bytes.count, content: .group)
    self.list.add(whole, &budget)
    self.bytes.withSpan { span in
      var index = start
      while index < span.count, !self.list.isRefused {
        let byte = span[index]
        if byte == 0x7B || byte == 0x5B {
          self.beginLine()
          index = self.value(span, index, &budget)
          // Text in brackets, which is no JSON, is found out at the first value.
          if self.looseness > 0, self.looseness > 2 + self.leaves / 8 { return }
        } else if Self.isSpace(byte) || byte == 0x2C || byte == 0x1E || byte == 0 {
          index += 1
        } else if byte == 0x29 || byte == 0x3B {
          index += 1
        } else {
          index = self.rest(span, index, &budget)
        }
      }
    }
  }

  /// Makes room for what is to come, from the first few hundred nodes on.
  private mutating func foresee(_ index: Int, _ budget: inout DecodingBudget) {
    if self.foreseen > 0 { self.list.expect(self.bytes.count, after: index, budget) }
    self.foreseen = max(self.foreseen * 4, 512)
  }

  /// From the second value on there is a list of lines.
  private mutating func beginLine() {
    self.values += 1
    guard self.values == 2 else { return }
    self.list.name(0, .text("lines"))
    self.list.name(1, .index(0))
  }

  /// Takes what stands between values as a leaf, up to the end of the line.
  private mutating func rest(
    _ span: Span<UInt8>,
    _ start: Int,
    _ budget: inout DecodingBudget
  ) -> Int {
    var end = start
    while end < span.count, span[end] != 0x0A, span[end] != 0x0D { end += 1 }
    self.looseness += 1
    self.list.add(
      LayerNode(parent: 0, key: .text("rest"), range: start..<end, content: .verbatim),
      &budget
    )
    return end
  }

  /// Reads the value that begins at `start`, and says where it ends.
  private mutating func value(
    _ span: Span<UInt8>,
    _ start: Int,
    _ budget: inout DecodingBudget
  ) -> Int {
    let key = self.values > 1 ? LayerKey.index(self.values - 1) : .none
    var frame = self.frame(span[start], parent: 0, key, start, &budget)
    var index = start + 1
    let end = span.count
    while index < end {
      let byte = span[index]
      switch byte {
      case 0x20, 0x09, 0x0A, 0x0D: index += 1
      case 0x22, 0x27:
        let first = index + 1
        index = self.string(span, first, byte, &frame, &budget)
      case 0x2C:
        if frame.isObject, frame.name != nil, !frame.hasValue { self.looseness += 1 }
        frame.index &+= 1
        frame.name = nil
        frame.hasColon = false
        frame.hasValue = false
        index += 1
      case 0x3A:
        if !frame.isObject || frame.name == nil || frame.hasColon { self.looseness += 1 }
        frame.hasColon = true
        index += 1
      case 0x7B, 0x5B:
        self.expectValue(&frame)
        self.outer.append(frame)
        frame = self.frame(byte, parent: frame.node, self.key(frame), index, &budget)
        index += 1
      case 0x7D, 0x5D:
        if frame.isObject != (byte == 0x7D) || (frame.name != nil && !frame.hasValue) {
          self.looseness += 1
        }
        index += 1
        self.list.end(frame.node, at: index)
        guard let next = self.outer.popLast() else { return index }
        frame = next
      default: index = self.token(span, index, &frame, &budget)
      }
      // What goes on like this is no JSON, and its words shall not use up the nodes.
      if self.list.isRefused || self.looseness > 64 + self.leaves / 8 { return end }
      if self.list.count >= self.foreseen { self.foresee(index, &budget) }
    }
    // It was cut: what is there counts.
    self.looseness += 1
    self.list.end(frame.node, at: end)
    while let open = self.outer.popLast() { self.list.end(open.node, at: end) }
    return end
  }

  private mutating func frame(
    _ byte: UInt8,
    parent: Int,
    _ key: LayerKey,
    _ start: Int,
    _ budget: inout DecodingBudget
  ) -> Frame {
    let group = LayerNode(parent: parent, key: key, range: start..<start, content: .group)
    return Frame(node: self.list.add(group, &budget), isObject: byte == 0x7B)
  }

  @inline(__always)
  private func key(_ frame: Frame) -> LayerKey {
    if !frame.isObject { return .index(frame.index) }
    return frame.name.map { .name($0) } ?? .none
  }

  /// Notes a value; in an object one without a name is loose, and so is a second one anywhere.
  @inline(__always)
  private mutating func expectValue(_ frame: inout Frame) {
    if frame.hasValue || (frame.isObject && !frame.hasColon) { self.looseness += 1 }
    frame.hasValue = true
  }

  /// Reads the string whose first character stands at `start`, and says where to go on.
  private mutating func string(
    _ span: Span<UInt8>,
    _ start: Int,
    _ quote: UInt8,
    _ frame: inout Frame,
    _ budget: inout DecodingBudget
  ) -> Int {
    let count = span.count
    var index = start
    var isEscaped = false
    while true {
      while index < count, span[index] != quote, span[index] != 0x5C { index &+= 1 }
      guard index < count, span[index] == 0x5C else { break }
      isEscaped = true
      index &+= 2
    }
    if quote == 0x27 { self.looseness += 1 }
    let end = min(index, count)
    self.hasStrings = true
    self.text(span, start..<end, isEscaped, &frame, &budget)
    return end + 1
  }

  /// Notes a string or a bare word: a name, or a value.
  private mutating func text(
    _ span: Span<UInt8>,
    _ range: Range<Int>,
    _ isEscaped: Bool,
    _ frame: inout Frame,
    _ budget: inout DecodingBudget
  ) {
    let isName = frame.isObject && frame.name == nil && !frame.hasColon
    if isName {
      frame.name = range
      guard ValueLike.isValue(span, range) else { return }
    } else {
      self.expectValue(&frame)
      if frame.isObject { self.hasStrings = true }
    }
    self.leaves += 1
    let key = isName ? LayerKey.text("{key}") : self.key(frame)
    if isEscaped {
      let text = JSONText.unescaped(self.bytes.slice(range))
      self.list.add(parent: frame.node, key: key, range: range, decoded: text, &budget)
    } else {
      let leaf = LayerNode(parent: frame.node, key: key, range: range, content: .verbatim)
      self.list.add(leaf, &budget)
    }
  }

  /// Reads a number, a word of the grammar, or whatever stands there without quotes.
  private mutating func token(
    _ span: Span<UInt8>,
    _ start: Int,
    _ frame: inout Frame,
    _ budget: inout DecodingBudget
  ) -> Int {
    var end = start
    while end < span.count, !Self.endsToken(span[end]) { end += 1 }
    // A control character or a stray quote ends tokens without being one.
    guard end > start else {
      self.looseness += 1
      return start + 1
    }
    let isName = frame.isObject && frame.name == nil && !frame.hasColon
    if !isName, Self.isNumber(span, start..<end) {
      self.expectValue(&frame)
      self.leaves += 1
      let leaf = LayerNode(
        parent: frame.node,
        key: self.key(frame),
        range: start..<end,
        content: .verbatim,
        form: .number
      )
      self.list.add(leaf, &budget)
    } else if !isName, Self.isWord(self.bytes.slice(start..<end)) {
      self.expectValue(&frame)
      self.hasStrings = self.hasStrings || frame.isObject
    } else {
      self.looseness += 1
      self.text(span, start..<end, false, &frame, &budget)
    }
    return end
  }
}
