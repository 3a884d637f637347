import TideCore

/// Every spelling of every profile value under every layer, compiled into one automaton.
struct NeedleSet: Sendable {
  /// Strings longer than this are not searched for: they would hold back too much of a body.
  ///
  /// A value of up to 300 characters is searched for in every form, a longer one in the shorter forms.
  static let longest = 4_096

  let values: [NeedleValue]
  let needles: [Needle]
  let database: NeedleDatabase?
  /// The longest match; 0 if there are no needles.
  let longestMatch: Int

  init(_ profiles: [DeviceProfile]) throws(InspectionFailure) {
    var values: [NeedleValue] = []
    var needles: [Needle] = []
    var strings: [NeedleDatabase.Literal] = []
    var known = Set<Key>()
    for identifier in profiles.flatMap(\.identifiers) {
      guard let subject = Subject(identifier.kind, identifier.value) else { continue }
      let value = NeedleValue(
        kind: identifier.kind,
        subject: subject,
        canonical: subject.canonical
      )
      // Two bytes are found everywhere and mean nothing anywhere.
      guard value.canonical.count >= 3,
        !values.contains(where: { $0.kind == value.kind && $0.canonical == value.canonical })
      else { continue }
      values.append(value)
      for use in SpellingUse.all(of: identifier.kind, subject) {
        guard let spelled = use.spelling.bytes(of: subject) else { continue }
        for layer in Layer.all(for: use) {
          guard let bytes = layer.bytes(of: spelled), bytes.count <= Self.longest else { continue }
          let isCaseless = layer.isCaseless
          let folded = isCaseless ? bytes.map(ASCII.lowercased) : bytes
          let key = Key(value: values.count - 1, isCaseless: isCaseless, bytes: folded)
          guard known.insert(key).inserted else { continue }
          needles.append(
            Self.needle(values.count - 1, subject, use.spelling, layer, spelled, bytes)
          )
          strings.append(NeedleDatabase.Literal(bytes: bytes, isCaseless: isCaseless))
        }
      }
    }
    self.values = values
    self.needles = needles
    self.longestMatch = (strings.map(\.bytes.count).max() ?? -2) + 2
    self.database = strings.isEmpty ? nil : try NeedleDatabase(strings)
  }

  private struct Key: Hashable {
    let value: Int
    let isCaseless: Bool
    let bytes: [UInt8]
  }

  private static func needle(
    _ value: Int,
    _ subject: Subject,
    _ spelling: Spelling,
    _ layer: Layer,
    _ spelled: [UInt8],
    _ bytes: [UInt8]
  ) -> Needle {
    let before: Boundary
    let after: Boundary
    if case .digest = layer {
      before = .word
      after = .word
    } else {
      before = self.boundary(subject, beside: spelled.first)
      after = self.boundary(subject, beside: spelled.last)
    }
    return Needle(
      value: value,
      spelling: spelling,
      layer: layer,
      length: bytes.count,
      spellingLength: spelled.count,
      before: before,
      after: after
    )
  }

  private static func boundary(_ subject: Subject, beside edge: UInt8?) -> Boundary {
    guard let edge, !Boundary.word.allows(edge) else { return .none }
    switch subject {
    case .digits, .phone: return .digits
    case .hex, .uuid, .mac, .email: return .word
    case .text(let text):
      let isLongNumber = text.count >= 8 && text.allSatisfy(ASCII.isDigit)
      return isLongNumber ? .digits : .word
    }
  }
}
