public import TideCore
import TideCrypto

/// Keeps compiled automata between runs, where files may be opened.
///
/// An entry holds pieces of the profiles' values: a file of it is for its owner alone (0600).
public protocol NeedleCache: Sendable {
  /// The entry of this name, lower-case hexadecimal digits; nil if there is none.
  func read(_ key: String) -> Bytes?

  /// Keeps an entry; one that cannot be kept is made again next time.
  func write(_ key: String, _ database: Bytes)
}

/// All strings to search for, compiled.
final class NeedleDatabase: Sendable {
  /// Changed when an entry of the cache means something else than it did.
  private static let cacheFormat = "tidewaiter-needles-1"

  let index: NeedleIndex
  let automaton: Automaton
  /// How many different pieces the automaton knows.
  let literalCount: Int

  /// Compiles the strings; they are not empty.
  init(_ entries: [NeedleIndex.Entry], _ cache: (any NeedleCache)?) throws(InspectionFailure) {
    var literals: [Automaton.Literal] = []
    self.index = NeedleIndex(entries, literals: &literals)
    self.literalCount = literals.count
    self.automaton = try Self.automaton(literals, cache)
  }

  /// The bytes that automaton and strings occupy.
  var byteCount: Int { self.automaton.byteCount + self.index.byteCount }

  /// Reads the automaton from the cache, or compiles it and writes it there.
  private static func automaton(
    _ literals: [Automaton.Literal],
    _ cache: (any NeedleCache)?
  ) throws(InspectionFailure) -> Automaton {
    guard let cache else { return try Automaton(literals) }
    let key = self.key(literals)
    if let entry = cache.read(key), let payload = self.payload(of: entry, key),
      let automaton = Automaton(serialized: payload)
    {
      return automaton
    }
    let automaton = try Automaton(literals)
    if let payload = automaton.serialized {
      cache.write(key, Bytes(self.seal(payload, key) + payload.array))
    }
    return automaton
  }

  /// A name for what these strings compile to.
  private static func key(_ literals: [Automaton.Literal]) -> String {
    var text = Array("\(self.cacheFormat)\n\(Automaton.version)\n\(literals.count)\n".utf8)
    for literal in literals {
      text += [literal.isCaseless ? 1 : 0, UInt8(truncatingIfNeeded: literal.bytes.count)]
      text += literal.bytes
    }
    return ASCII.hex(Digest.sha256.hash(text))
  }

  /// An entry is a digest of its name and its contents, then the contents: vectorscan reads what it is
  /// given with little doubt.
  private static func payload(of entry: Bytes, _ key: String) -> Bytes? {
    guard entry.count > Digest.sha256.byteCount else { return nil }
    let payload = entry.dropping(first: Digest.sha256.byteCount)
    guard entry.slice(0..<Digest.sha256.byteCount) == Bytes(self.seal(payload, key)) else {
      return nil
    }
    return payload
  }

  private static func seal(_ payload: Bytes, _ key: String) -> [UInt8] {
    Digest.sha256.hash(Array(key.utf8) + payload.array)
  }
}

/// A string that was seen, and the position after it.
struct NeedleHit {
  let needle: Int
  let end: Int
}

/// What one thread scans with.
final class NeedleScanner {
  private let database: NeedleDatabase
  private let scratch: AutomatonScratch
  private var hits: [NeedleHit] = []

  init(_ database: NeedleDatabase) throws(InspectionFailure) {
    self.database = database
    self.scratch = try AutomatonScratch(database.automaton)
  }

  /// Whether any of the strings is in `span`.
  func hasHit(in span: Span<UInt8>) -> Bool { !self.hits(in: span).isEmpty }

  /// The strings in `span`, in no order that means anything.
  func hits(in span: Span<UInt8>) -> [NeedleHit] {
    self.hits.removeAll(keepingCapacity: true)
    self.scratch.scan(span)
    for hit in self.scratch.hits { self.database.index.confirm(hit, in: span, &self.hits) }
    return self.hits
  }
}
