public import TideCore
import TideCoding
import TideDecoding

/// Searches one message's body as it arrives.
///
/// ```
///   coded bytes ──► decoder ──► gathered ──► at the end: opened and searched as a whole
///                                  │ more than a window
///                                  ├──► strand: searched as it passes
///                                  └──► at the end: opened, for what is inside layers
/// ```
/// Confined to its context's thread. The findings do not depend on how the body is cut into pieces.
public final class BodyInspection {
  private enum Stage {
    case inspecting
    case stopped
    case finished
  }

  /// The most findings of one body; beyond it inspection stops, as at the other limits.
  static let mostFindings = 4_096
  /// Encoded bytes that are decoded between two checkpoints of `releasable`.
  private static let step = 4 << 10

  private let context: InspectionContext
  private let content: Content
  private let coding: BodyFacts.Coding
  private var stage = Stage.inspecting
  private var decoder: ContentDecoder?
  /// What was decoded, while it is to be opened at the end; once there is a strand, that has it.
  private var gathered = Bytes()
  /// How many bytes of it there are, here or there.
  private var gatheredCount = 0
  private var isGathering = true
  /// Searches what passes, once there is more than one window of it.
  private var strand: Strand?
  private var members = PassingMembers()
  /// What the strand saw, so that it is not said again.
  private var seen = Set<Seen>()
  private var received = 0
  private var decoded = 0
  private var found = 0
  /// Encoded and decoded counts, oldest first, of which the decoded bytes are not all settled.
  private var checkpoints: [(raw: Int, decoded: Int)] = []
  private var released = 0

  /// What an operator should know of this inspection, such as a coding that was not taken off.
  public private(set) var notes: [String] = []
  /// Whether a limit on decoded bytes, ratio, depth, time or findings stopped the inspection.
  public private(set) var isOverLimit = false
  /// Whether part of the body was not understood: over a limit, damaged, or in an unknown coding.
  ///
  /// True of an unknown coding from the start. A rule that enforces goes to its `otherwise`.
  public private(set) var isIncomplete = false

  init(_ context: InspectionContext, _ content: Content) {
    self.context = context
    self.content = content
    self.coding = BodyFacts.coding(content.fields)
    if case .unknown(let name) = self.coding {
      self.isIncomplete = true
      self.notes.append("unknown content coding \(name.prefix(32)): inspected as it is")
    }
  }

  deinit { self.context.gathered -= self.gatheredCount }

  /// Takes the next bytes of the content, after transfer coding, and adds what they settle.
  public func receive(_ bytes: Bytes, _ findings: inout [Finding]) {
    guard case .inspecting = self.stage else {
      self.received += bytes.count
      return
    }
    switch self.coding {
    case .identity, .unknown:
      self.received += bytes.count
      self.search(bytes, &findings)
    case .coded(let codings):
      var rest = bytes
      while !rest.isEmpty {
        let piece = rest.slice(0..<min(rest.count, Self.step))
        rest = rest.dropping(first: piece.count)
        self.received += piece.count
        self.decode(piece, codings, &findings)
      }
    }
  }

  /// Takes the body's end and adds the last findings.
  public func finish(_ findings: inout [Finding]) {
    guard case .inspecting = self.stage else { return }
    do throws(CodingFailure) {
      try self.decoder?.finish()
    } catch {
      self.stop("inspection stopped: \(error.detail)", isOverLimit: false, &findings)
      return
    }
    self.end(&findings)
    self.stage = .finished
  }

  /// What would be found beyond what is settled if the content ended here; changes nothing.
  public var findingsIfOver: [Finding] {
    guard case .inspecting = self.stage else { return [] }
    guard var strand = self.strand else {
      guard let part = self.part else { return [] }
      if let key = self.key, self.context.quiet.contains(key) { return [] }
      var examination = Examination(self.context, part, self.context.budget())
      let specimen = examination.examine(self.gathered)
      return specimen.findings(part, self.context.plan.name(of:))
    }
    let matches = strand.receive(Bytes(), isFinal: true, self.context.scanner)
    return matches.map { strand.finding($0) }
  }

  /// How many bytes of the content, from its start, surely belong to no match that is still open.
  ///
  /// Of content that fits one window, nothing before its end: what a layer holds is seen when the layer is
  /// whole. In a longer plain body all but one and a half times the longest match with its context, at
  /// most, as far as it is written as it is. In a coded one a byte that settles cannot be named: it is the
  /// bytes that had been received, counted in steps of 4 KiB, when the last decoded byte that is settled
  /// had not yet come out. Once the inspection has stopped no match is open, and everything counts: ask
  /// `isIncomplete` first.
  public var releasable: UInt64 {
    switch self.stage {
    case .stopped, .finished: return UInt64(self.received)
    case .inspecting: break
    }
    switch self.coding {
    case .identity, .unknown: return UInt64(self.strand?.settled ?? 0)
    case .coded: return UInt64(self.released)
    }
  }

  private func decode(_ bytes: Bytes, _ codings: [ContentCoding], _ findings: inout [Finding]) {
    guard case .inspecting = self.stage else { return }
    if self.received == bytes.count {
      let limits = self.context.plan.limits
      self.decoder = ContentDecoder(
        codings,
        limits: DecodingLimits(decodedBytes: limits.decodedBytes, ratio: limits.decodedRatio)
      )
    }
    var pieces: [Bytes] = []
    var failure: CodingFailure?
    do throws(CodingFailure) {
      try self.decoder?.decode(bytes, &pieces)
    } catch {
      failure = error
    }
    for piece in pieces { self.search(piece, &findings) }
    guard case .inspecting = self.stage else { return }
    if let failure {
      self.stop(
        "inspection stopped: \(failure.detail)",
        isOverLimit: failure.code == .tooLarge || failure.code == .ratio,
        &findings
      )
      return
    }
    self.checkpoints.append((raw: self.received, decoded: self.decoded))
    let settled = self.strand?.settled ?? 0
    let count = self.checkpoints.prefix { $0.decoded <= settled }.count
    guard count > 0 else { return }
    self.released = self.checkpoints[count - 1].raw
    self.checkpoints.removeFirst(count)
  }

  /// Takes decoded bytes, a window at a time.
  private func search(_ bytes: Bytes, _ findings: inout [Finding]) {
    var rest = bytes
    let limits = self.context.plan.limits
    let window = max(limits.windowBytes, 1)
    while !rest.isEmpty {
      guard case .inspecting = self.stage else { return }
      let room = limits.decodedBytes - self.decoded
      guard room > 0 else {
        self.stop(
          "inspection stopped: decoded \(limits.decodedBytes) bytes",
          isOverLimit: true,
          &findings
        )
        return
      }
      let piece = rest.slice(0..<min(rest.count, room, window))
      rest = rest.dropping(first: piece.count)
      self.decoded += piece.count
      self.gather(piece)
      if self.strand != nil {
        self.settle(piece, isFinal: false, &findings)
      } else if self.decoded > window || self.content.isStream {
        self.beginStrand(&findings)
      }
      guard self.found < Self.mostFindings else {
        self.stop(
          "inspection stopped: \(Self.mostFindings) findings",
          isOverLimit: true,
          &findings
        )
        return
      }
    }
  }

  // MARK: Gathering

  private func gather(_ bytes: Bytes) {
    guard self.isGathering else { return }
    if self.strand != nil {
      if self.context.gathered + bytes.count > self.context.plan.limits.gatheredPerLoop {
        self.stopGathering()
        self.isOverLimit = true
        self.isIncomplete = true
        self.notes.append("its layers are not opened: too many bodies are under way")
        return
      }
    } else {
      self.gathered.append(bytes)
    }
    self.gatheredCount += bytes.count
    self.context.gathered += bytes.count
  }

  private func stopGathering() {
    self.isGathering = false
    self.context.gathered -= self.gatheredCount
    self.gatheredCount = 0
    self.gathered = Bytes()
    self.strand?.keepsAll = false
  }

  /// The part that the content is; nil while nothing of it is there.
  private var part: Part? {
    self.gathered.first.map { self.content.part(firstByte: $0, layers: self.layers) }
  }

  /// What is found in content that was gathered as it is depends on this; nil of what is coded.
  private var key: QuietValues.Key? {
    guard case .identity = self.coding, self.gathered.count <= QuietValues.longest else {
      return nil
    }
    let place: QuietValues.Place =
      switch self.content.location {
      case .websocket: .message
      case .body, .path, .query, .header, .cookie, .trailer: .body
      }
    return QuietValues.Key(
      place: place,
      direction: self.content.direction,
      name: self.content.fields.first("content-type") ?? Bytes(),
      value: self.gathered
    )
  }

  private var layers: [String] {
    switch self.coding {
    case .identity, .unknown: []
    case .coded(let codings): codings.reversed().map(\.rawValue)
    }
  }

  /// More than a window came: from now on it is searched as it passes.
  private func beginStrand(_ findings: inout [Finding]) {
    guard let part = self.part else { return }
    let first = self.gathered
    self.gathered = Bytes()
    if self.content.isStream || MediaMagic.isMedia(first) { self.stopGathering() }
    var strand = Strand(part, self.context.plan)
    strand.keepsAll = self.isGathering
    // A window of it has come; what was promised and does not come is address space, not memory.
    if self.isGathering, case .identity = self.coding, let count = self.content.declaredCount {
      strand.reserve(min(count, self.context.plan.limits.decodedBytes))
    }
    self.strand = strand
    self.settle(first, isFinal: false, &findings)
  }

  private func settle(_ bytes: Bytes, isFinal: Bool, _ findings: inout [Finding]) {
    guard let matches = self.strand?.receive(bytes, isFinal: isFinal, self.context.scanner),
      !matches.isEmpty
    else { return }
    for match in matches { self.seen.insert(Seen(match)) }
    let settled = matches.compactMap { self.strand?.finding($0) }
    self.take(self.members.pass(settled), &findings)
  }

  private func take(_ new: [Finding], _ findings: inout [Finding]) {
    let taken = new.prefix(Self.mostFindings - self.found)
    self.found += taken.count
    findings += taken
  }

  // MARK: The end

  /// The last byte is there: opens what was gathered.
  private func end(_ findings: inout [Finding]) {
    self.settle(Bytes(), isFinal: true, &findings)
    guard self.isGathering else { return }
    let isWhole = self.strand == nil
    let gathered = self.strand?.kept ?? self.gathered
    let key = isWhole && !gathered.isEmpty ? self.key : nil
    if let key, self.context.quiet.contains(key) {
      self.stopGathering()
      return
    }
    guard let part = self.strand?.part ?? self.part else { return }
    defer { self.stopGathering() }
    var examination = Examination(self.context, part, self.context.budget())
    let specimen = examination.examine(gathered, searchesPart: isWhole)
    var new = specimen.findings(part, self.context.plan.name(of:))
    if !isWhole { new.removeAll { self.seen.contains(Seen($0)) } }
    self.take(new, &findings)
    guard let exceeded = examination.exceeded else {
      if new.isEmpty, let key { self.context.quiet.insert(key) }
      return
    }
    self.isOverLimit = true
    self.isIncomplete = true
    self.notes.append("not every layer was opened: the limit on \(exceeded.rawValue) was met")
  }

  private func stop(_ note: String, isOverLimit: Bool, _ findings: inout [Finding]) {
    self.end(&findings)
    self.notes.append(note)
    self.isOverLimit = self.isOverLimit || isOverLimit
    self.isIncomplete = true
    self.checkpoints = []
    self.stage = .stopped
  }
}

/// Holds back findings that mean something only together, until there are enough of them.
private struct PassingMembers {
  private var waiting: [Finding] = []
  private var values = Set<Bytes>()

  mutating func pass(_ findings: [Finding]) -> [Finding] {
    guard findings.contains(where: { SetMembers.isMember($0.kind) }) else { return findings }
    var passed: [Finding] = []
    for finding in findings {
      guard SetMembers.isMember(finding.kind) else {
        passed.append(finding)
        continue
      }
      self.values.insert(finding.value)
      // Beyond the first few that wait, the set is complete and nothing waits any more.
      if self.values.count < SetMembers.fewest {
        if self.waiting.count < 64 { self.waiting.append(finding) }
      } else {
        passed += self.waiting + [finding]
        self.waiting = []
      }
    }
    return passed
  }
}
