import TideCore
import TideCrypto

/// Collects the needles of profiles.
struct NeedleBuilder {
  /// Strings longer than this are not searched for: they would hold back too much of a body.
  ///
  /// A value of up to 300 characters is searched for in every form, a longer one in the shorter forms.
  static let longestString = 4_096
  /// The most needles, of which a thousand take 150 KB; a plan with more is refused.
  static let most = 400_000

  private(set) var values: [NeedleValue] = []
  private(set) var needles: [Needle] = []
  private(set) var entries: [NeedleIndex.Entry] = []
  private(set) var longest = 0
  private var known = Set<Key>()
  private var numbers: [ValueKey: Int] = [:]
  private var counts: [FindingKind: Int] = [:]

  private struct Key: Hashable {
    let value: Int
    let isCaseless: Bool
    let bytes: [UInt8]
  }

  private struct ValueKey: Hashable {
    let kind: FindingKind
    let canonical: Bytes
  }

  /// What an operator should know.
  var notes: [String] {
    self.counts.filter { $0.value > Thoroughness.mostInEveryForm }.sorted {
      $0.key.name < $1.key.name
    }
    .map { kind, count in
      let usual = Thoroughness.mostInUsualForms
      return "\(count) values of \(kind): every form is searched for of the first "
        + "\(Thoroughness.mostInEveryForm), the usual ones of the others"
        + (count > usual ? ", after \(usual) only plain ones" : "")
    }
  }

  /// Adds a device's values and those that are joined of them.
  mutating func add(_ profile: DeviceProfile) throws(InspectionFailure) {
    var own: [NeedleValue] = []
    for identifier in profile.identifiers {
      guard let subject = Subject(identifier.kind, identifier.value) else { continue }
      let value = NeedleValue(
        kind: identifier.kind,
        subject: subject,
        canonical: subject.canonical
      )
      // Two bytes are found everywhere and mean nothing anywhere.
      guard value.canonical.count >= 3 else { continue }
      own.append(value)
      try self.add(value)
    }
    for subject in Joining.subjects(of: own) {
      guard case .joined(let parts) = subject, let first = parts.first else { continue }
      try self.add(
        NeedleValue(kind: first.kind, subject: subject, canonical: subject.canonical)
      )
    }
  }

  private mutating func add(_ value: NeedleValue) throws(InspectionFailure) {
    let key = ValueKey(kind: value.kind, canonical: value.canonical)
    guard self.numbers[key] == nil else { return }
    let number = self.values.count
    self.numbers[key] = number
    self.values.append(value)
    var thoroughness = Thoroughness.everyForm
    switch value.subject {
    // Not values of the profile's own, which alone are counted.
    case .joined: break
    case .digits, .hex, .uuid, .mac, .phone, .email, .text:
      self.counts[value.kind, default: 0] += 1
      thoroughness = Thoroughness(place: self.counts[value.kind, default: 0])
    }
    var seen: [[UInt8]: SpellingUse.Reach] = [:]
    for use in SpellingUse.all(of: value.kind, value.subject) where thoroughness.includes(use) {
      guard let spelled = use.spelling.bytes(of: value.subject), !spelled.isEmpty else { continue }
      if use.spelling.nature == .text {
        // A name without letters has no upper case.
        if seen[spelled]?.isSuperset(of: use.reach) == true { continue }
        seen[spelled, default: []].formUnion(use.reach)
      }
      for layer in NeedleLayer.all(for: use, spelled) where thoroughness.includes(layer) {
        self.add(number, use, layer, spelled, layer.bytes(of: spelled))
      }
      self.addDigests(number, use, spelled, thoroughness)
    }
    guard self.needles.count <= Self.most else {
      throw InspectionFailure(.needles, "the profiles make more than \(Self.most) needles")
    }
  }

  private mutating func addDigests(
    _ value: Int,
    _ use: SpellingUse,
    _ spelled: [UInt8],
    _ thoroughness: Thoroughness
  ) {
    let isHashed = !use.reach.isDisjoint(with: [.hashed, .hashedOnly])
    guard isHashed, thoroughness != .plainForms else { return }
    let isEverywhere = use.reach.contains(.encoded) && thoroughness == .everyForm
    // Hashed once for all the ways to write it.
    for digest in [Digest.md5, .sha1, .sha256] {
      let hash = digest.hash(spelled)
      for text in isEverywhere ? DigestText.all(digest) : DigestText.hexadecimal(digest) {
        self.add(value, use, .digest(digest, text), spelled, text.bytes(of: hash))
      }
      guard use.reach.contains(.hashedTwice) else { continue }
      let hex = Array(ASCII.hex(hash).utf8)
      for outer in [Digest.md5, .sha1, .sha256] {
        let again = outer.hash(hex)
        for text in DigestText.hexadecimal(outer) {
          let layer = NeedleLayer.digestTwice(outer: outer, inner: digest, text)
          self.add(value, use, layer, spelled, text.bytes(of: again))
        }
      }
    }
  }

  private mutating func add(
    _ value: Int,
    _ use: SpellingUse,
    _ layer: NeedleLayer,
    _ spelled: [UInt8],
    _ bytes: [UInt8]?
  ) {
    guard let bytes, bytes.count <= Self.longestString, NeedleIndex.isSearchable(bytes) else {
      return
    }
    let isCaseless = layer.isCaseless
    let folded = isCaseless ? bytes.map(ASCII.lowercased) : bytes
    let key = Key(value: value, isCaseless: isCaseless, bytes: folded)
    guard self.known.insert(key).inserted else { return }
    let edges = NeedleEdges(self.values[value], use.spelling, layer, spelled)
    self.needles.append(
      Needle(
        value: value,
        spelling: use.spelling,
        layer: layer,
        certainty: min(
          self.values[value].certainty,
          use.certainty,
          layer.digestText?.certainty ?? .certain
        ),
        length: bytes.count,
        spellingLength: spelled.count,
        before: edges.before,
        after: edges.after,
        width: CharacterWidth(use.spelling)
      )
    )
    self.entries.append(
      NeedleIndex.Entry(
        bytes: folded,
        isCaseless: isCaseless,
        isAnchoredFirst: layer.digestText != nil
      )
    )
    self.longest = max(self.longest, bytes.count)
  }
}

/// In how many forms a value is searched for: an address book of thousands would make a slow automaton
/// and change little.
private enum Thoroughness {
  case everyForm
  case usualForms
  case plainForms

  static let mostInEveryForm = 50
  static let mostInUsualForms = 1_000

  /// For the value of this number, from 1, among those of its kind.
  init(place: Int) {
    self =
      place <= Self.mostInEveryForm
      ? .everyForm : place <= Self.mostInUsualForms ? .usualForms : .plainForms
  }

  func includes(_ use: SpellingUse) -> Bool {
    switch self {
    case .everyForm: true
    case .usualForms, .plainForms:
      use.spelling.nature == .text && use.reach.isSuperset(of: [.encoded, .hashed])
    }
  }

  func includes(_ layer: NeedleLayer) -> Bool {
    if self == .everyForm { return true }
    return switch layer {
    case .none, .jsonEscapes(slash: false), .percent(.component, _): true
    case .jsonEscapes, .percent, .exact, .entities, .hex, .base64, .base32, .digest, .digestTwice:
      false
    }
  }
}

/// What must not stand beside a needle.
private struct NeedleEdges {
  let before: Boundary
  let after: Boundary

  init(_ value: NeedleValue, _ spelling: Spelling, _ layer: NeedleLayer, _ spelled: [UInt8]) {
    if let text = layer.digestText {
      // Sixteen bytes of a digest are themselves whatever stands beside them.
      self.before = text.isBinary ? .none : .word
      self.after = self.before
      return
    }
    if layer == .base32 {
      self.before = .word
      self.after = .word
      return
    }
    var first = spelled.first
    var last = spelled.last
    if case .coded(let plain, let coding) = spelling {
      switch coding.nature {
      case .text: break
      case .binary:
        self.before = .none
        self.after = .none
        return
      case .wide:
        let text = plain.bytes(of: value.subject)
        first = text?.first
        last = text?.last
      }
    }
    self.before = Self.boundary(value, spelling, beside: first)
    if case .digits(let digits) = value.subject, spelling == .prefix(14), digits.count == 15,
      value.kind == .imei
    {
      self.after = .version(checkDigit: digits[14])
    } else {
      self.after = Self.boundary(value, spelling, beside: last)
    }
  }

  private static func boundary(
    _ value: NeedleValue,
    _ spelling: Spelling,
    beside edge: UInt8?
  ) -> Boundary {
    guard let edge, !Boundary.word.allows(edge) else { return .none }
    if value.isSetMember { return .package }
    if case .coded(_, .hexadecimal) = spelling { return .word }
    switch value.subject {
    case .digits, .phone: return .digits
    case .hex, .uuid, .mac, .email, .joined: return .word
    case .text(let text):
      let isLongNumber = text.count >= 8 && text.allSatisfy(ASCII.isDigit)
      return isLongNumber ? .digits : .word
    }
  }
}
