internal import Foundation
internal import TideCore
internal import TideCrypto
internal import TideEvidence

/// What a case says of itself: who, with what, when, and whether it is sealed.
struct CaseFacts {
  /// A phase mark.
  struct Mark {
    let sequence: UInt64
    let time: String
    let text: String
  }

  /// Something that could not be written.
  struct Gap {
    let time: String
    let events: UInt64
    let pieces: UInt64
    let cause: String
  }

  /// The seal.
  struct Seal {
    var time = ""
    var lastSequence: UInt64?
    var treeRoot: String?
    let manifestDigest: String
    var signer: String?
    /// The SHA-256 of the time-stamp token; nil if there is none.
    var token: String?
  }

  /// The most marks that are read: an operator sets them by hand.
  private static let mostMarks = 200
  private static let mostGaps = 50

  let path: String
  var name = ""
  var format = 1
  var created = ""
  var operatorName = ""
  var devices: [String] = []
  var mode = ""
  var toolVersion = ""
  var watched: [String] = []
  var sources: [(role: CaseDescription.Source.Role, source: LogMembers.Source)] = []
  var caseDigest = ""
  var starts = 0
  var first: String?
  var stopped: String?
  var marks: [Mark] = []
  var moreMarks = 0
  var gaps: [Gap] = []
  var moreGaps = 0
  var recovered = 0
  var purged: (bodies: UInt64, bytes: UInt64, count: Int) = (0, 0, 0)
  var anchor: (time: String, monotonic: Int64, system: Int64)?
  var clockSteps = 0
  var largestStep: Int64 = 0
  var treeHead: (size: UInt64, root: String, isSigned: Bool)?
  var seal: Seal?
  /// The case's secret: under it findings name the values that they found; nil if it is not with the case.
  var secret: [UInt8]?

  init(_ reader: CaseReader) throws(EvidenceFailure) {
    self.path = reader.path
    self.name = reader.path.split(separator: "/").last.map(String.init) ?? reader.path
    self.readDescription()
    try self.readEntries(reader)
    self.readSeal()
    self.readLaterPurges()
    self.secret = try reader.secret
  }

  private func file(_ name: String) -> Data? {
    FileManager.default.contents(atPath: self.path + "/" + name)
  }

  private mutating func readDescription() {
    guard let bytes = self.file("case.json") else { return }
    self.caseDigest = Hex.encode(Digest.sha256.hash(Array(bytes)))
    guard let members = LogMembers(Array(bytes)) else { return }
    self.name = members.case ?? self.name
    self.format = members.format ?? 1
    self.created = members.created ?? ""
    self.take(members)
  }

  private mutating func take(_ members: LogMembers) {
    self.operatorName = members.operator ?? self.operatorName
    for device in members.devices ?? [] where !self.devices.contains(device) {
      self.devices.append(device)
    }
    self.mode = members.mode ?? self.mode
    self.toolVersion = members.version ?? self.toolVersion
    self.watched = members.watched ?? self.watched
    let lists: [(CaseDescription.Source.Role, [LogMembers.Source])] = [
      (.configuration, members.configuration ?? []), (.rules, members.rules ?? []),
      (.regions, members.regions ?? []),
    ]
    for (role, list) in lists {
      for source in list
      where !self.sources.contains(where: { $0.role == role && $0.source.sha256 == source.sha256 })
      {
        self.sources.append((role, source))
      }
    }
  }

  private mutating func readEntries(_ reader: CaseReader) throws(EvidenceFailure) {
    try reader.forEachEntry(ofType: "start") { record throws(EvidenceFailure) in
      self.starts += 1
      if self.first == nil { self.first = record.time }
      // Each start may have another configuration: all that were in force are shown.
      if let members = LogMembers(record.json) { self.take(members) }
      return self.starts < 1_000
    }
    try reader.forEachEntry(ofType: "mark") { record throws(EvidenceFailure) in
      guard self.marks.count < Self.mostMarks else {
        self.moreMarks += 1
        return true
      }
      let text = LogMembers(record.json)?.text ?? ""
      self.marks.append(Mark(sequence: record.sequence, time: record.time, text: text))
      return true
    }
    self.marks.sort { ($0.time, $0.sequence) < ($1.time, $1.sequence) }
    try reader.forEachEntry(ofType: "gap") { record throws(EvidenceFailure) in
      guard self.gaps.count < Self.mostGaps else {
        self.moreGaps += 1
        return true
      }
      let members = LogMembers(record.json)
      self.gaps.append(
        Gap(
          time: record.time,
          events: members?.events ?? 0,
          pieces: members?.pieces ?? 0,
          cause: members?.cause ?? ""
        )
      )
      return true
    }
    try reader.forEachEntry(ofType: "recovered") { _ throws(EvidenceFailure) in
      self.recovered += 1
      return true
    }
    try reader.forEachEntry(ofType: "purged") { record throws(EvidenceFailure) in
      let members = LogMembers(record.json)
      self.purge(members)
      return true
    }
    try reader.forEachEntry(ofType: "clock") { record throws(EvidenceFailure) in
      guard let members = LogMembers(record.json), let system = members.system else { return true }
      if self.anchor == nil {
        self.anchor = (record.time, members.monotonic ?? 0, system)
      }
      if let step = members.step, step.magnitude > 100_000_000 {
        self.clockSteps += 1
        if step.magnitude > self.largestStep.magnitude { self.largestStep = step }
      }
      return true
    }
    self.stopped = try reader.lastEntry(ofType: "stop")?.time
    let head = try reader.lastEntry(ofType: "tree-head").flatMap { LogMembers($0.json) }
    if let head, let size = head.size, let root = head.root {
      self.treeHead = (size, root, head.key != nil)
    }
  }

  private mutating func purge(_ members: LogMembers?) {
    self.purged.count += 1
    self.purged.bodies &+= members?.bodies ?? 0
    self.purged.bytes &+= members?.bytes ?? 0
  }

  /// What was removed after the seal is told by a file of its own.
  private mutating func readLaterPurges() {
    guard let handle = FileHandle(forReadingAtPath: self.path + "/purges.ndjson") else { return }
    defer { try? handle.close() }
    let lines = (try? handle.read(upToCount: 16 << 20)) ?? Data()
    for line in lines.split(separator: 0x0A) { self.purge(LogMembers(Array(line))) }
  }

  private mutating func readSeal() {
    guard CaseFolder.isSealed(self.path) else { return }
    // The manifest of a large case lists a million files: its first lines say what is needed.
    var hasher = SHA256Hasher()
    var start = Data()
    guard let handle = FileHandle(forReadingAtPath: self.path + "/manifest.json") else { return }
    defer { try? handle.close() }
    while let piece = try? handle.read(upToCount: 1 << 20), !piece.isEmpty {
      if start.count < 4_096 { start += piece.prefix(4_096) }
      hasher.update(Array(piece))
    }
    var seal = Seal(manifestDigest: Hex.encode(hasher.finish()))
    for line in String(decoding: start.prefix(4_096), as: UTF8.self).split(separator: "\n").prefix(
      10
    ) {
      let parts = line.split(separator: ":", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { continue }
      let value = parts[1].trimmingCharacters(in: CharacterSet(charactersIn: "\", "))
      switch parts[0].trimmingCharacters(in: CharacterSet(charactersIn: "\"{ ")) {
      case "sealed": seal.time = value
      case "last_seq": seal.lastSequence = UInt64(value)
      case "tree_root": seal.treeRoot = value
      default: break
      }
    }
    if let pem = self.file("signer.pem"), pem.count < 4_096 {
      let text = String(decoding: pem, as: UTF8.self).split(separator: "\n")
      let lines = text.filter { !$0.hasPrefix("-----") }.joined()
      seal.signer = Base64.standard.decode(lines.utf8).map { Hex.encode(Digest.sha256.hash($0)) }
    }
    if let token = self.file("manifest.tsr") {
      seal.token = Hex.encode(Digest.sha256.hash(Array(token)))
    }
    self.seal = seal
  }
}
