internal import TideCore

/// `findings.ndjson`: each finding of the log as a line of its own, for people and scripts.
///
/// It is a convenience: the log has the same members under the chain, and this file can be made from it.
enum FindingsFile {
  static let name = "findings.ndjson"

  /// The members of a finding that the file has, in the order of PRODUCT's section 10.
  static let members = [
    "flow", "time", "device", "url", "direction", "region", "address", "kind", "certainty",
    "location", "path", "encoding", "offset", "length", "value", "decided", "applied", "rule",
  ]

  /// The line for a finding event of the log.
  static func line(of event: LogEvent) -> [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    for name in self.members {
      json.key(text: name)
      json.write(event.members[name] ?? .null)
    }
    json.endObject()
    json.endLine()
    return json.bytes
  }

  /// Makes the file anew from the log, as far as that is right, unless it has exactly its whole lines.
  static func repair(_ root: String, after tail: LogTail) throws(EvidenceFailure) {
    let count = tail.findings
    let end = LogPosition(segment: tail.segment, offset: tail.length)
    let path = root + "/" + self.name
    var lines: UInt64 = 0
    var isTorn = false
    if Folder.size(of: path) != nil {
      var file = try FileReader(path: path)
      while let piece = try file.next() {
        lines += UInt64(piece.count { $0 == 0x0A })
        isTorn = piece.last != 0x0A
      }
    }
    guard lines != count || isTorn else { return }
    let storage = PosixStorage()
    let temporary = path + ".new"
    try storage.remove(temporary)
    let file = try storage.append(to: temporary)
    do throws(EvidenceFailure) {
      try LogReader(root: root, keys: nil).forEachLine { line throws(EvidenceFailure) in
        guard line.isWhole, line.position != end else { return false }
        let event = try LogEvent(line, in: root)
        if event.type == "finding" { try file.writeAll(self.line(of: event)) }
        return true
      }
    } catch {
      // More zeros than any line is long, after the last one, do not read as a line to stop at.
      guard error.code == .malformed, tail.tornBytes > UInt64(LogReader.longestLine) else {
        throw error
      }
    }
    try file.sync()
    try storage.rename(temporary, to: path)
  }
}

extension JSONWriter {
  /// Writes a value as it was read.
  mutating func write(_ value: JSONValue) {
    switch value {
    case .null: self.null()
    case .bool(let flag): self.value(flag)
    case .integer(let number): self.value(Int(number))
    case .real(let number): self.raw(String(number).utf8)
    case .string(let text): self.value(text)
    case .array(let values):
      self.beginArray()
      for value in values { self.write(value) }
      self.endArray()
    case .object(let object):
      self.beginObject()
      for member in object.members {
        self.key(text: member.name)
        self.write(member.value)
      }
      self.endObject()
    }
  }
}
