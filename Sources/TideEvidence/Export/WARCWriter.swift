internal import TideCoding
internal import TideCore
internal import TideCrypto

/// Writes records of a web archive, one after another.
final class WARCWriter {
  /// What stands before a record's block.
  struct Record {
    let type: String
    let id: String
    let date: String
    /// Further fields, in order.
    var fields: [(name: String, value: String)] = []
    /// The digest of the payload in hexadecimal, if the block has one.
    var payloadDigest: String?

    init(type: String, id: String, date: String) {
      self.type = type
      self.id = id
      self.date = date
    }
  }

  private let file: ExportFile
  private let isCompressed: Bool
  private let seed: [UInt8]
  private var encoder = GzipEncoder()

  init(file: ExportFile, isCompressed: Bool, seed: [UInt8]) {
    self.file = file
    self.isCompressed = isCompressed
    self.seed = seed
  }

  /// A record's identifier: a UUID of version 8 (RFC 9562 §5.8) made from the case and a name.
  func identifier(_ name: String) -> String {
    var bytes = Array(Digest.sha256.hash(self.seed + Array(name.utf8)).prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    let hex = Array(Hex.encode(bytes).utf8)
    let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map {
      String(decoding: hex[$0], as: UTF8.self)
    }
    return "<urn:uuid:\(groups.joined(separator: "-"))>"
  }

  /// Writes a record whose block is in memory.
  func write(_ record: Record, _ block: Bytes) throws(EvidenceFailure) {
    try self.write(
      record,
      count: block.count,
      digest: Hex.encode(Digest.sha256.hash(block))
    ) { write throws(EvidenceFailure) in
      try write(block)
    }
  }

  /// Writes a record whose block comes in pieces that together have `count` bytes and this digest.
  func write(
    _ record: Record,
    count: Int,
    digest: String,
    _ block: ((Bytes) throws(EvidenceFailure) -> Void) throws(EvidenceFailure) -> Void
  ) throws(EvidenceFailure) {
    var head = "WARC/1.1\r\nWARC-Type: \(record.type)\r\nWARC-Record-ID: \(record.id)\r\n"
    head += "WARC-Date: \(record.date)\r\n"
    for (name, value) in record.fields { head += "\(name): \(value)\r\n" }
    if let payload = record.payloadDigest { head += "WARC-Payload-Digest: sha256:\(payload)\r\n" }
    head += "WARC-Block-Digest: sha256:\(digest)\r\nContent-Length: \(count)\r\n\r\n"
    try self.put(Bytes(head))
    try block { piece throws(EvidenceFailure) in try self.put(piece) }
    try self.put("\r\n\r\n")
    if self.isCompressed { try self.file.write(self.encoder.finish()) }
  }

  private func put(_ bytes: Bytes) throws(EvidenceFailure) {
    if self.isCompressed {
      try self.file.write(self.encoder.encode(bytes))
    } else {
      try self.file.write(bytes)
    }
  }

  /// A text as the value of a field: nothing in it ends the line.
  static func oneLine(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
  }

  /// A URL as a URI (RFC 3986 §2): what may not stand in one is percent-encoded.
  static func uri(_ url: String) -> String {
    var result: [UInt8] = []
    for byte in url.utf8 {
      let isLegal = byte > 0x20 && byte < 0x7F && !"\"<>\\^`{|}".utf8.contains(byte)
      if isLegal {
        result.append(byte)
      } else {
        result += Array("%\(ASCII.hex([byte]).uppercased())".utf8)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
