import TideCore

/// How a part names what is inside it.
enum PartSyntax {
  /// By one name for all: a field's, or none.
  case named(Bytes)
  /// `key=value` joined by `&`: a query or a form.
  case form
  /// `name=value` joined by `;`.
  case cookie
  /// JSON text, or lines of it (RFC 8259).
  case json
}

/// Follows a part's bytes and knows the name of the place it has come to.
enum PathTracker {
  case named(Bytes)
  case pairs(PairTracker)
  case json(JSONTracker)

  init(_ syntax: PartSyntax) {
    switch syntax {
    case .named(let name): self = .named(name)
    case .form: self = .pairs(PairTracker(separator: 0x26))
    case .cookie: self = .pairs(PairTracker(separator: 0x3B))
    case .json: self = .json(JSONTracker())
    }
  }

  /// Moves past `range` of `span`.
  mutating func consume(_ span: Span<UInt8>, _ range: Range<Int>) {
    switch self {
    case .named: return
    case .pairs(var tracker):
      // Taken out while it changes, so that its storage is not shared and copied.
      self = .named(Bytes())
      tracker.consume(span, range)
      self = .pairs(tracker)
    case .json(var tracker):
      self = .named(Bytes())
      tracker.consume(span, range)
      self = .json(tracker)
    }
  }

  /// The place, as findings show it.
  var path: String {
    switch self {
    case .named(let name): Self.text(name)
    case .pairs(let tracker): tracker.key ?? ""
    case .json(let tracker): tracker.path
    }
  }

  /// The innermost name, if there is one.
  var key: String? {
    switch self {
    case .named(let name): name.isEmpty ? nil : Self.text(name)
    case .pairs(let tracker): tracker.key
    case .json(let tracker): tracker.key
    }
  }

  /// A field's name in lower case: HTTP/2 sends no other, and both should read the same.
  private static func text(_ name: Bytes) -> String {
    String(decoding: name.map(ASCII.lowercased), as: UTF8.self)
  }
}

/// Follows `key=value` pairs: a query, a form, a Cookie field.
struct PairTracker {
  /// The most bytes of a key that are kept.
  static let longestKey = 64

  let separator: UInt8
  private var name: [UInt8] = []
  private var isInValue = false

  init(separator: UInt8) { self.separator = separator }

  /// The key of the value here; nil inside a key.
  var key: String? {
    guard self.isInValue else { return nil }
    return String(decoding: self.name.drop { $0 == 0x20 }, as: UTF8.self)
  }

  mutating func consume(_ span: Span<UInt8>, _ range: Range<Int>) {
    let separator = self.separator
    // Only the last pair counts; what the others were called is of no interest any more.
    var index = range.upperBound
    while index > range.lowerBound, span[index - 1] != separator { index -= 1 }
    if index > range.lowerBound { index -= 1 }
    while index < range.upperBound {
      if self.isInValue {
        while index < range.upperBound, span[index] != separator { index += 1 }
        guard index < range.upperBound else { return }
      }
      let byte = span[index]
      if byte == separator {
        self.name.removeAll(keepingCapacity: true)
        self.isInValue = false
      } else if byte == 0x3D {
        self.isInValue = true
      } else if self.name.count < Self.longestKey {
        self.name.append(byte)
      }
      index += 1
    }
  }
}
