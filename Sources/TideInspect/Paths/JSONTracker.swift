import TideCore

/// Follows JSON text byte by byte and knows the path of the value it has come to.
///
/// It validates nothing: for text that is not JSON it gives some path, never a trap. Work per byte is
/// constant, and what it remembers is bounded by depth and key length.
struct JSONTracker {
  /// Containers deeper than this have no step of their own in the path.
  static let deepest = 64

  private enum Step {
    case member(name: [UInt8])
    case element(index: Int)
  }

  private enum Place {
    case value
    case key
    case string
    case stringEscape
    case keyString
    case keyEscape
  }

  private var steps: [Step] = []
  private var uncounted = 0
  private var place = Place.value
  private var name: [UInt8] = []

  /// The name of the innermost member.
  var key: String? {
    for step in self.steps.reversed() {
      if case .member(let name) = step, !name.isEmpty {
        return String(decoding: name, as: UTF8.self)
      }
    }
    return nil
  }

  /// The path from the root, such as `$.d.imei[0]` or `$["a b"]`.
  var path: String {
    var path = "$"
    for step in self.steps {
      switch step {
      case .element(let index): path += "[\(index)]"
      case .member(let name):
        if name.isEmpty { continue }
        let text = String(decoding: name, as: UTF8.self)
        let isPlain = name.allSatisfy {
          ASCII.isDigit($0) || ASCII.lowercased($0) &- 0x61 < 26 || $0 == 0x5F || $0 == 0x2D
        }
        path += isPlain ? "." + text : "[\"" + text + "\"]"
      }
    }
    return path
  }

  mutating func consume(_ span: Span<UInt8>, _ range: Range<Int>) {
    for index in range {
      let byte = span[index]
      switch self.place {
      case .string:
        if byte == 0x22 { self.place = .value }
        if byte == 0x5C { self.place = .stringEscape }
      case .stringEscape: self.place = .string
      case .keyString:
        if byte == 0x22 {
          self.nameMember()
          self.place = .value
          continue
        }
        if byte == 0x5C { self.place = .keyEscape }
        if self.name.count < PairTracker.longestKey { self.name.append(byte) }
      case .keyEscape:
        if self.name.count < PairTracker.longestKey { self.name.append(byte) }
        self.place = .keyString
      case .value, .key: self.structure(byte)
      }
    }
  }

  private mutating func structure(_ byte: UInt8) {
    switch byte {
    case 0x22:  // "
      if case .key = self.place {
        self.name.removeAll(keepingCapacity: true)
        self.place = .keyString
      } else {
        self.place = .string
      }
    case 0x7B:  // {
      self.push(.member(name: []))
      self.place = .key
    case 0x5B:  // [
      self.push(.element(index: 0))
      self.place = .value
    case 0x7D, 0x5D:  // } ]
      if self.uncounted > 0 {
        self.uncounted -= 1
      } else if !self.steps.isEmpty {
        self.steps.removeLast()
      }
      self.place = .value
    case 0x2C:  // ,
      guard self.uncounted == 0, let last = self.steps.last else { return }
      switch last {
      case .element(let index): self.steps[self.steps.count - 1] = .element(index: index &+ 1)
      case .member:
        self.steps[self.steps.count - 1] = .member(name: [])
        self.place = .key
      }
    default: return
    }
  }

  private mutating func push(_ step: Step) {
    guard self.steps.count < Self.deepest else {
      self.uncounted += 1
      return
    }
    self.steps.append(step)
  }

  private mutating func nameMember() {
    guard self.uncounted == 0, case .member = self.steps.last else { return }
    self.steps[self.steps.count - 1] = .member(name: self.name)
  }
}
