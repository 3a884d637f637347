internal import GRDB
internal import TideCore
internal import TideCrypto

/// Who talks to whom in a capture.
struct PcapngEndpoints {
  /// What stands for an address that is not known or was never dialled (RFC 7600 §4.8: the IPv4 dummy).
  static let nobody = IPAddress.v4(0xC000_0008)

  var client: IPAddress
  /// Nil if it was not recorded.
  var clientPort: UInt16?
  var server: IPAddress
  var serverPort: UInt16
}

extension CaseReader {
  /// Who talks to whom on a connection, as the index says, which is to be up to date.
  func endpoints(of connection: ConnectionID) throws(EvidenceFailure) -> PcapngEndpoints {
    let number = Int64(clamping: connection.number)
    let (opened, flow) = try self.index.read { db in
      let opened = try Row.fetchOne(
        db.cachedStatement(
          sql: """
            SELECT segment, offset FROM connection_line WHERE connection = ? AND type = 'connection'
            """
        ),
        arguments: [number]
      ).map { LogPosition($0) }
      let flows = try IndexedFlow.first(of: connection, db).map(\.record)
      let flow = flows.first { $0.address != nil } ?? flows.first
      return (opened, flow)
    }
    var endpoints = PcapngEndpoints(
      client: PcapngEndpoints.nobody,
      clientPort: nil,
      server: PcapngEndpoints.nobody,
      serverPort: flow.map(\.port) ?? 443
    )
    if let address = flow?.address ?? flow?.candidates.first?.address {
      endpoints.server = IPAddress(address) ?? PcapngEndpoints.nobody
    }
    if let opened, let line = try self.log.line(at: opened) {
      let members = try LogEvent(line, in: self.path).members
      endpoints.clientPort = members["client_port"]?.unsigned.flatMap { UInt16(exactly: $0) }
      endpoints.client =
        members["client"]?.string.flatMap { IPAddress($0) } ?? PcapngEndpoints.nobody
    } else if let client = flow?.client {
      endpoints.client = IPAddress(client) ?? PcapngEndpoints.nobody
    }
    return endpoints
  }

  /// By what the case that was exported can be known again: its manifest, or else the end of its log.
  var provenance: String {
    get throws(EvidenceFailure) {
      if CaseFolder.isSealed(self.path) {
        let manifest = try Folder.read(self.path + "/manifest.json", limit: 1 << 30)
        return "sealed; SHA-256 of manifest.json: " + Hex.encode(Digest.sha256.hash(manifest))
      }
      try self.index.update()
      let last = try self.index.read { db in try Checkpoint.read(db).last?.hash }
      return "not sealed; hash of its last line: \(last ?? "none")"
    }
  }
}
