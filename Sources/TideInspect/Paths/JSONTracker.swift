import TideCore

/// Follows JSON text and knows the path of the value it has come to.
///
/// It validates nothing: for text that is not JSON it gives some path, never a trap. Work per byte is
/// constant, and what it remembers is bounded by depth and key length.
struct JSONTracker {
  /// Containers deeper than this have no step of their own in the path.
  static let deepest = 64

  /// A container, and where inside it the text has come to.
  private struct Step {
    let isObject: Bool
    var index = 0
    /// Where the member's name lies; empty until it is complete.
    ///
    /// Few of the names that go by are ever asked for: copied are those that are still open when
    /// their bytes go away.
    var name = 0..<0
    /// Whether `name` lies in `names`, not in the bytes now being consumed.
    var isKept = false
  }

  private enum Place {
    case value
    case key
    case text(isKey: Bool, isEscaped: Bool)
  }

  /// The containers around the innermost one that counts.
  private var outer: [Step] = []
  /// The innermost one; nil outside all.
  private var step: Step?
  private var uncounted = 0
  private var place = Place.value
  /// The names of the open steps.
  private var names: [UInt8] = []
  /// The beginning of a name that was cut.
  private var cutName: [UInt8] = []

  /// The steps from the root.
  private var steps: [Step] { self.outer + (self.step.map { [$0] } ?? []) }

  /// The name of the innermost member.
  var key: String? {
    self.steps.last { !$0.name.isEmpty }.map {
      String(decoding: self.names[$0.name], as: UTF8.self)
    }
  }

  /// The path from the root, such as `$.d.imei[0]` or `$["a b"]`.
  var path: String {
    var path = "$"
    for step in self.steps {
      if !step.isObject { path += "[\(step.index)]" }
      if step.name.isEmpty { continue }
      let name = self.names[step.name]
      let text = String(decoding: name, as: UTF8.self)
      let isPlain = name.allSatisfy {
        ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 || $0 == 0x5F || $0 == 0x2D
      }
      path += isPlain ? "." + text : "[\"" + text + "\"]"
    }
    return path
  }

  /// Moves past `range` of `span`.
  mutating func consume(_ span: Span<UInt8>, _ range: Range<Int>) {
    if range.isEmpty { return }
    let end = range.upperBound
    var index = range.lowerBound
    var textStart = index
    var isInText = false
    var isKey = false
    switch self.place {
    case .value: break
    case .key: isKey = true
    case .text(let wasKey, let isEscaped):
      isInText = true
      isKey = wasKey
      if isEscaped { index += 1 }
    }
    // Kept out of `self` while it changes with every token.
    var step = self.step
    while index < end {
      if isInText {
        while index < end, span[index] != 0x22, span[index] != 0x5C { index += 1 }
        guard index < end else { break }
        if span[index] == 0x5C {
          index += 2
          continue
        }
        if isKey { self.name(&step, span, textStart..<index) }
        isInText = false
        isKey = false
        index += 1
      }
      while index < end, !Self.isStructure(span[index]) { index += 1 }
      guard index < end else { break }
      let byte = span[index]
      index += 1
      if byte == 0x22 {
        isInText = true
        textStart = index
      } else if byte == 0x2C {
        guard self.uncounted == 0, step != nil else { continue }
        isKey = step?.isObject ?? false
        step?.index &+= 1
        step?.name = 0..<0
      } else {
        isKey = byte == 0x7B
        self.nest(&step, byte)
      }
    }
    self.step = step
    self.keepNames(span)
    guard isInText else {
      self.place = isKey ? .key : .value
      return
    }
    if isKey { self.cutName = self.completed(span, textStart..<end) }
    self.place = .text(isKey: isKey, isEscaped: index > end)
  }

  /// Whether `byte` is a quote, a comma, a bracket or a brace.
  @inline(__always)
  private static func isStructure(_ byte: UInt8) -> Bool {
    byte == 0x22 || byte == 0x2C || byte | 0x20 == 0x7B || byte | 0x20 == 0x7D
  }

  private mutating func nest(_ step: inout Step?, _ byte: UInt8) {
    guard byte == 0x7B || byte == 0x5B else {
      if self.uncounted > 0 {
        self.uncounted -= 1
      } else {
        step = self.outer.popLast()
      }
      return
    }
    if self.outer.count + 1 >= Self.deepest {
      self.uncounted += 1
      return
    }
    if let step { self.outer.append(step) }
    step = Step(isObject: byte == 0x7B)
  }

  @inline(__always)
  private mutating func name(_ step: inout Step?, _ span: Span<UInt8>, _ range: Range<Int>) {
    let wasCut = !self.cutName.isEmpty
    if self.uncounted == 0, step?.isObject == true {
      step?.name = range
      step?.isKept = wasCut
    }
    guard wasCut else { return }
    let start = self.names.count
    self.names += self.completed(span, range)
    if self.uncounted == 0, step?.isObject == true { step?.name = start..<self.names.count }
    self.cutName = []
  }

  /// The name that `range` ends, as far as it is kept.
  private func completed(_ span: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
    self.cutName + range.prefix(PairTracker.longestKey - self.cutName.count).map { span[$0] }
  }

  /// Copies the names of the steps that are still open from the bytes that go away.
  private mutating func keepNames(_ span: Span<UInt8>) {
    let known = self.names
    self.names = []
    for index in self.outer.indices {
      self.outer[index] = self.kept(self.outer[index], span, known)
    }
    if let step = self.step { self.step = self.kept(step, span, known) }
  }

  private mutating func kept(_ step: Step, _ span: Span<UInt8>, _ known: [UInt8]) -> Step {
    var kept = step
    let start = self.names.count
    for index in step.name.prefix(PairTracker.longestKey) {
      self.names.append(step.isKept ? known[index] : span[index])
    }
    kept.name = start..<self.names.count
    kept.isKept = true
    return kept
  }
}
