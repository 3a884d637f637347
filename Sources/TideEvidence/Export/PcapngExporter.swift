internal import TideCore

/// Writes what crossed the devices' sockets as a capture (pcapng), which analysers read and decrypt.
///
/// The bytes are the true ones, TLS records and their times as recorded in wire/; the keys are in the file
/// (Decryption Secrets Blocks, all before the first packet). The packets around them are made up: a device
/// talks to the proxy in reality, and here to the server's address as dialled, over a TCP that never loses
/// anything.
public enum PcapngExporter {
  /// What was written.
  struct Summary: Equatable {
    /// Packets.
    var packets = 0
    /// Connections that have any.
    var connections = 0
    /// Lines of the key log.
    var secrets = 0
  }

  /// Writes the connections of a case; one is written whole if one of its flows passes the filter.
  ///
  /// It reads wire/ twice, as far as it had come at first, and holds none of it but a record: memory is
  /// bounded by `PcapngConversations.most` open connections, and by the numbers of those that a filter names.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - file: what to write to.
  ///   - filter: which flows.
  ///   - toolVersion: the version to name as the file's maker.
  ///   - progress: told how many bytes of wire/ were read, of how many; each counts twice.
  /// - Returns: what was written.
  /// - Throws: `notFound` if the case has no wire/; as `CaseReader`; what the file system says.
  static func write(
    _ reader: CaseReader,
    to file: ExportFile,
    filter: FlowFilter,
    toolVersion: String,
    progress: (_ done: UInt64, _ of: UInt64) -> Void
  ) throws(EvidenceFailure) -> Summary {
    let wire = try WireSequence(root: reader.path, keys: reader.keys)
    guard !wire.isEmpty else {
      throw EvidenceFailure(
        .notFound,
        detail: "\(reader.path): there is no wire/, so there are no packets (see case.wire)"
      )
    }
    // Once, after it is settled what is read of wire/: the log is never behind it for long.
    try reader.index.update()
    var summary = Summary()
    var done: UInt64 = 0
    let selection = try Selection(reader, filter)
    var blocks = PcapngBlocks()
    blocks.writeSection(
      comment: try self.comment(reader),
      application: "tidewaiter \(toolVersion)"
    )
    blocks.writeInterface()
    // No packet comes before the keys that it is read with.
    var secrets: [UInt8] = []
    try wire.forEach { piece throws(EvidenceFailure) in
      guard case .record(let record) = piece, record.kind == WireFormat.Kind.keyLog.rawValue,
        selection.contains(record.connection)
      else { return }
      secrets += record.content.array
      secrets.append(0x0A)
      summary.secrets += 1
      guard secrets.count >= PcapngBlocks.flushSize else { return }
      blocks.write(secrets: secrets)
      secrets.removeAll(keepingCapacity: true)
      try file.write(blocks.take())
    } afterFile: { size in
      done += size
      progress(done, 2 * wire.size)
    }
    if !secrets.isEmpty { blocks.write(secrets: secrets) }
    var conversations = PcapngConversations(blocks: blocks)
    try wire.forEach { piece throws(EvidenceFailure) in
      switch piece {
      case .hole: conversations.forgetAll()
      case .record(let record):
        if record.connection.number == 0 {
          conversations.forgetAll()
        } else if selection.contains(record.connection) {
          try conversations.take(record) { connection throws(EvidenceFailure) in
            try reader.endpoints(of: connection)
          }
        }
      }
      if conversations.blocks.count >= PcapngBlocks.flushSize {
        try file.write(conversations.blocks.take())
      }
    } afterFile: { size in
      done += size
      progress(done, 2 * wire.size)
    }
    try file.write(conversations.blocks.take())
    summary.packets = conversations.packets
    summary.connections = conversations.connections
    return summary
  }

  /// What this file is, for whoever opens it.
  private static func comment(_ reader: CaseReader) throws(EvidenceFailure) -> String {
    let name = reader.path.split(separator: "/").last.map(String.init) ?? reader.path
    return """
      The devices' side of case \(name) of tidewaiter, \(try reader.provenance). The TLS records and plain \
      bytes are those that crossed the devices' sockets, with their times and their keys. The packets are \
      synthetic: in reality each device spoke TCP to the proxy; here it speaks to the server's address as \
      dialled (192.0.0.8 where nothing was), without the CONNECT request, and nothing is lost, resent or \
      delayed. Bytes that the recorder had to drop are missing in the sequence numbers. This file is no \
      evidence by itself: the case is.
      """
  }

  /// The connections that are exported.
  private struct Selection {
    /// Nil for all.
    private var connections: Set<ConnectionID>?

    init(_ reader: CaseReader, _ filter: FlowFilter) throws(EvidenceFailure) {
      guard !filter.terms.isEmpty else { return }
      var connections: Set<ConnectionID> = []
      try reader.forEachFlow(filter) { flow throws(EvidenceFailure) in
        connections.insert(flow.connection)
        return true
      }
      self.connections = connections
    }

    func contains(_ connection: ConnectionID) -> Bool {
      self.connections?.contains(connection) ?? true
    }
  }
}
