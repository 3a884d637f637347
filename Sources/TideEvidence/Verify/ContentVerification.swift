internal import TideCore
internal import TideCrypto

/// Checks the contents that lines name, each once, and notes which are missing with a line that accounts for it.
///
/// Memory does not grow with the case: of the contents that were found right at most `mostKnown` are remembered, and one
/// that comes again after that is read again.
struct ContentVerification: ~Copyable {
  private static let mostKnown = 1 << 19

  /// What is wrong with a content.
  private struct Fault {
    var first: UInt64
    let what: String
    let isMissing: Bool
    /// Of its file.
    let name: DigestKey
  }

  private let root: String
  private let keys: CaseKeys?
  /// The names of files that were removed after the seal.
  private let removed: Set<DigestKey>
  private var known: [DigestKey: UInt64] = [:]
  private var faults: [DigestKey: Fault] = [:]
  /// What no crash and no purge can account for.
  private var problem: (sequence: UInt64, what: String)?
  private(set) var count = 0
  /// How many bytes of files were read.
  private(set) var bytesRead: UInt64 = 0

  init(root: String, keys: CaseKeys?, removed: Set<DigestKey>) {
    self.root = root
    self.keys = keys
    self.removed = removed
  }

  /// Takes what a line names, or accounts for.
  mutating func take(_ event: LogEvent) throws(EvidenceFailure) {
    let members = event.members
    switch event.type {
    case "body", "head", "trailers":
      guard let digest = members["sha256"]?.string else { return }
      try self.check(digest, size: members["size"]?.unsigned, event.sequence)
    case "message":
      // Of a payload that was cut, `size` is that of the whole.
      guard let digest = members["sha256"]?.string else { return }
      let isWhole = members["truncated"]?.bool == false
      try self.check(digest, size: isWhole ? members["size"]?.unsigned : nil, event.sequence)
    case "handshake":
      for digest in members["chain"]?.array ?? [] {
        try self.check(digest.string ?? "", size: nil, event.sequence)
      }
    case "recovered":
      self.excuse(members["lost"], onlyMissing: false)
      guard let digest = members["sha256"]?.string else { return }
      try self.check(digest, size: members["bytes"]?.unsigned, event.sequence)
    case "purged":
      self.excuse(members["contents"], onlyMissing: true)
    default: return
    }
  }

  /// The ruling on all of them.
  func ruling(_ durability: Durability) -> Ruling? {
    var altered = self.problem
    var incomplete: (sequence: UInt64, what: String)?
    for fault in self.faults.values where !(fault.isMissing && self.removed.contains(fault.name)) {
      if durability.covers(fault.first) {
        if fault.first < altered?.sequence ?? .max { altered = (fault.first, fault.what) }
      } else if fault.first < incomplete?.sequence ?? .max {
        incomplete = (fault.first, fault.what)
      }
    }
    if let altered { return .altered(at: altered.sequence, what: altered.what) }
    return incomplete.map { .incomplete(from: $0.sequence) }
  }

  /// The line of the report.
  func check(_ durability: Durability) -> VerificationReport.Check {
    let detail =
      switch self.ruling(durability) {
      case .altered(let sequence, let what)?: "at seq \(sequence ?? 0): \(what)"
      case .incomplete(let sequence)?:
        "at seq \(sequence): a content did not reach the disk before a crash"
      case nil: "\(self.count) contents"
      }
    return VerificationReport.Check(
      name: "bodies",
      isGood: self.ruling(durability) == nil,
      detail: detail
    )
  }

  private mutating func excuse(_ digests: JSONValue?, onlyMissing: Bool) {
    for text in (digests?.array ?? []).compactMap(\.string) {
      guard let digest = Hex.decode(text.utf8) else { continue }
      let key = DigestKey(digest)
      if let fault = self.faults[key], fault.isMissing || !onlyMissing {
        self.faults[key] = nil
      }
      self.known[key] = nil
    }
  }

  private mutating func check(
    _ text: String,
    size: UInt64?,
    _ sequence: UInt64
  ) throws(EvidenceFailure) {
    guard self.problem == nil else { return }
    guard let digest = Hex.decode(text.utf8), digest.count == 32 else {
      self.problem = (sequence, "body \(text.prefix(64)): not a digest")
      return
    }
    let key = DigestKey(digest)
    guard self.faults[key] == nil else { return }
    if self.known[key] == nil { try self.read(text, digest, key, sequence) }
    guard let count = self.known[key], let size, count != size else { return }
    self.problem = (sequence, "body \(text) was altered")
  }

  private mutating func read(
    _ text: String,
    _ digest: [UInt8],
    _ key: DigestKey,
    _ sequence: UInt64
  ) throws(EvidenceFailure) {
    var hasher = SHA256Hasher()
    var size: UInt64 = 0
    let name = DigestKey(self.keys?.name(of: digest) ?? digest)
    do throws(EvidenceFailure) {
      var body = try BodyReader(root: self.root, sha256: text, keys: self.keys)
      while let part = try body.next() {
        hasher.update(part)
        size += UInt64(part.count)
      }
      self.bytesRead += body.offset
    } catch {
      guard error.code == .malformed || error.code == .notFound else { throw error }
      let isMissing = error.code == .notFound
      let what = "body \(text) \(isMissing ? "is missing" : "was altered")"
      self.faults[key] = Fault(first: sequence, what: what, isMissing: isMissing, name: name)
      return
    }
    guard hasher.finish() == digest else {
      let what = "body \(text) was altered"
      self.faults[key] = Fault(first: sequence, what: what, isMissing: false, name: name)
      return
    }
    if self.known.count >= Self.mostKnown { self.known.removeAll(keepingCapacity: true) }
    self.known[key] = size
    self.count += 1
  }
}
