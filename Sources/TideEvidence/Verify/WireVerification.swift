internal import TideCore
internal import TideCrypto

/// What `wire` lines state of files of wire/, as far as it still holds.
struct WireClaims {
  struct Claim {
    let sequence: UInt64
    let extent: WireExtent
  }

  /// By the file's number, in the order of the lines.
  private(set) var claims: [Int: [Claim]] = [:]
  /// Files that lines account for if they are missing.
  var removed: Set<Int> = []

  /// Takes a line.
  ///
  /// - Parameters:
  ///   - event: the line.
  ///   - covered: how many lines the last tree head before it covers: what they state outlasted any crash.
  mutating func take(_ event: LogEvent, covered: UInt64) {
    switch event.type {
    case "wire", "wire-recovered":
      guard let extent = WireExtent(event) else { return }
      if event.type == "wire-recovered" {
        self.claims[extent.segment]?.removeAll { $0.sequence > covered }
      }
      self.claims[extent.segment, default: []].append(
        Claim(sequence: event.sequence, extent: extent)
      )
    case "purged":
      for number in (event.members["wire"]?.array ?? []).compactMap(\.unsigned) {
        self.removed.insert(Int(clamping: number))
      }
    default: return
    }
  }
}

/// Checks the files of wire/: against what `wire` lines state, and whether they read as records.
struct WireVerification {
  /// Nil if there is nothing of wire/.
  let check: VerificationReport.Check?
  let ruling: Ruling?

  init(
    root: String,
    keys: CaseKeys?,
    _ claims: WireClaims,
    _ durability: Durability
  ) throws(EvidenceFailure) {
    let present = try WireFormat.segments(in: root)
    let last = max(present.last ?? 0, claims.claims.keys.max() ?? 0)
    guard last > 0, !(present.isEmpty && claims.claims.keys.allSatisfy(claims.removed.contains))
    else {
      self.check = nil
      self.ruling = nil
      return
    }
    let numbers = Set(present).union(claims.claims.keys).sorted()
    var records = 0
    var rest = WireRest.nothing
    var ruling: Ruling?
    var expected = 1
    for segment in numbers {
      while expected < segment, claims.removed.contains(expected) { expected += 1 }
      guard segment == expected else {
        ruling = .altered(at: nil, what: "\(WireFormat.relativePath(of: expected)) is missing")
        break
      }
      expected += 1
      let stated = claims.claims[segment] ?? []
      if !present.contains(segment), claims.removed.contains(segment) { continue }
      if let problem = try Self.compare(segment, stated, root) {
        ruling = Self.worse(ruling, durability.ruling(problem.sequence, problem.what))
        if case .altered? = ruling { break }
        continue
      }
      guard present.contains(segment) else { continue }
      let isLast = segment == present.last
      if let problem = try Self.read(segment, root, keys, &records, &rest),
        problem.isForeign || durability.isSealed || !isLast
      {
        ruling = .altered(at: nil, what: problem.what)
        break
      }
    }
    self.ruling = ruling
    let problem: String? =
      switch ruling {
      case .altered(let sequence?, let what)?: "at seq \(sequence): \(what)"
      case .altered(nil, let what)?: what
      case .incomplete(let sequence)?:
        "what the line with seq \(sequence) states did not reach the disk before a crash"
      case nil: nil
      }
    self.check = VerificationReport.Check(
      name: "wire",
      isGood: problem == nil ? (rest == .nothing ? true : nil) : false,
      detail: problem ?? "\(records) records" + Self.words(rest)
    )
  }

  private static func worse(_ a: Ruling?, _ b: Ruling) -> Ruling {
    if case .altered = b { return b }
    return a ?? b
  }

  /// The first line that states something else of a file than what is there.
  private static func compare(
    _ segment: Int,
    _ stated: [WireClaims.Claim],
    _ root: String
  ) throws(EvidenceFailure) -> (sequence: UInt64, what: String)? {
    guard let first = stated.first else { return nil }
    let path = WireFormat.relativePath(of: segment)
    guard Folder.size(of: root + "/" + path) != nil else {
      return (first.sequence, "\(path) is missing")
    }
    var file = try FileReader(path: root + "/" + path)
    var hasher = SHA256Hasher()
    var done: UInt64 = 0
    var pending = Bytes()
    for claim in stated.sorted(by: {
      ($0.extent.bytes, $0.sequence) < ($1.extent.bytes, $1.sequence)
    }) {
      while done < claim.extent.bytes {
        if pending.isEmpty {
          guard let piece = try file.next() else { break }
          pending = piece
        }
        let count = Int(clamping: min(claim.extent.bytes - done, UInt64(pending.count)))
        hasher.update(pending.slice(0..<count))
        pending = pending.dropping(first: count)
        done += UInt64(count)
      }
      guard done == claim.extent.bytes, hasher.digestSoFar() == claim.extent.sha256 else {
        return (claim.sequence, "\(path) was altered")
      }
    }
    return nil
  }

  /// What of a file reads as no record; a foreign header is never what a crash leaves.
  private static func read(
    _ segment: Int,
    _ root: String,
    _ keys: CaseKeys?,
    _ records: inout Int,
    _ rest: inout WireRest
  ) throws(EvidenceFailure) -> (what: String, isForeign: Bool)? {
    let path = WireFormat.relativePath(of: segment)
    var reader = try WireReader(root: root, segment: segment, keys: keys)
    do throws(EvidenceFailure) {
      while try reader.next() != nil { records += 1 }
    } catch {
      guard error.code == .malformed else { throw error }
      return ("\(path) has what is no record", true)
    }
    rest = reader.rest
    return switch rest {
    case .nothing: nil
    case .half: ("\(path) ends in half a record", false)
    case .noRecord: ("\(path) has what is no record", false)
    }
  }

  private static func words(_ rest: WireRest) -> String {
    switch rest {
    case .nothing: ""
    case .half(let count): ", then half a one (\(count) bytes)"
    case .noRecord(let count): ", then \(count) bytes that are none"
    }
  }
}
