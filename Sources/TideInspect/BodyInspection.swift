public import TideCore
import TideCoding

/// Searches one message's body as it arrives.
///
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
  private var decoder: GzipDecoder?
  private var strand: Strand?
  private var received = 0
  private var decoded = 0
  private var found = 0
  /// Encoded and decoded counts, oldest first, of which the decoded bytes are not all settled.
  private var checkpoints: [(raw: Int, decoded: Int)] = []
  private var released = 0

  /// What an operator should know of this inspection, such as a coding that was not taken off.
  public private(set) var notes: [String] = []
  /// Whether a limit on decoded bytes, ratio or findings stopped the inspection.
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
    case .deflate(_, let format):
      var rest = bytes
      while !rest.isEmpty {
        let piece = rest.slice(0..<min(rest.count, Self.step))
        rest = rest.dropping(first: piece.count)
        self.received += piece.count
        self.decode(piece, format, &findings)
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
    }
    self.settle(Bytes(), isFinal: true, &findings)
    self.stage = .finished
  }

  /// What would be found beyond what is settled if the content ended here; changes nothing.
  public var findingsIfOver: [Finding] {
    guard case .inspecting = self.stage, var strand = self.strand else { return [] }
    let matches = strand.receive(Bytes(), isFinal: true, self.context.scanner)
    return matches.map { strand.finding($0) }
  }

  /// How many bytes of the content, from its start, surely belong to no match that is still open.
  ///
  /// In a plain body all but one and a half times the longest match with its context, at most. In a coded one a
  /// byte that settles cannot be named: it is the bytes that had been received, counted in steps of
  /// 4 KiB, when the last decoded byte that is settled had not yet come out. Once the inspection has
  /// stopped no match is open, and everything counts: ask `isIncomplete` first.
  public var releasable: UInt64 {
    switch self.stage {
    case .stopped, .finished: return UInt64(self.received)
    case .inspecting: break
    }
    switch self.coding {
    case .identity, .unknown: return UInt64(self.strand?.settled ?? 0)
    case .deflate: return UInt64(self.released)
    }
  }

  private func decode(_ bytes: Bytes, _ format: DeflateFormat?, _ findings: inout [Finding]) {
    guard case .inspecting = self.stage else { return }
    if self.received == bytes.count {
      let limits = self.context.plan.limits
      self.decoder = GzipDecoder(
        format: format ?? .ofDeflateBody(firstByte: bytes[0]),
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

  /// Searches decoded bytes, a window at a time.
  private func search(_ bytes: Bytes, _ findings: inout [Finding]) {
    var rest = bytes
    let limits = self.context.plan.limits
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
      let piece = rest.slice(0..<min(rest.count, room, max(limits.windowBytes, 1)))
      rest = rest.dropping(first: piece.count)
      self.decoded += piece.count
      self.settle(piece, isFinal: false, &findings)
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

  private func settle(_ bytes: Bytes, isFinal: Bool, _ findings: inout [Finding]) {
    if self.strand == nil, let first = bytes.first { self.strand = self.makeStrand(first) }
    guard let matches = self.strand?.receive(bytes, isFinal: isFinal, self.context.scanner),
      !matches.isEmpty
    else { return }
    let taken = matches.prefix(Self.mostFindings - self.found)
    self.found += taken.count
    findings += taken.compactMap { self.strand?.finding($0) }
  }

  private func makeStrand(_ firstByte: UInt8) -> Strand {
    let layers: [String] =
      switch self.coding {
      case .identity, .unknown: []
      case .deflate(let name, _): [name]
      }
    return Strand(self.content.part(firstByte: firstByte, layers: layers), self.context.plan)
  }

  private func stop(_ note: String, isOverLimit: Bool, _ findings: inout [Finding]) {
    self.settle(Bytes(), isFinal: true, &findings)
    self.notes.append(note)
    self.isOverLimit = self.isOverLimit || isOverLimit
    self.isIncomplete = true
    self.checkpoints = []
    self.stage = .stopped
  }
}
