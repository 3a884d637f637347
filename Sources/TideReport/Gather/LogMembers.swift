internal import Foundation
internal import TideEvidence

/// The members of log lines that reports read; each line has a few of them.
struct LogMembers: Decodable {
  /// A file that decided what was recorded.
  struct Source: Decodable {
    let name: String
    let date: String?
    let sha256: String
  }

  /// An address that was decided on.
  struct Candidate: Decodable {
    let address: String
    let region: String
    let signals: [Signal]?
  }

  /// What one database says of it.
  struct Signal: Decodable {
    let source: String
    let country: String?
    let asn: UInt32?
  }

  let seq: UInt64?
  let time: String?
  let type: String?
  let text: String?
  // case.json and `start`
  let format: Int?
  let `case`: String?
  let created: String?
  let version: String?
  let mode: String?
  let `operator`: String?
  let devices: [String]?
  let watched: [String]?
  let configuration: [Source]?
  let rules: [Source]?
  let regions: [Source]?
  let case_sha256: String?
  let secret_sha256: String?
  let keeps_bodies: Bool?
  let continued: Bool?
  // `tree-head`
  let size: UInt64?
  let root: String?
  let key: String?
  // `clock`
  let monotonic: Int64?
  let system: Int64?
  let step: Int64?
  // `gap`, `recovered`, `purged`
  let events: UInt64?
  let pieces: UInt64?
  let bytes: UInt64?
  let bodies: UInt64?
  let cause: String?
  let reason: String?
  // `head`, `body`
  let direction: String?
  let stage: String?
  let sha256: String?
  // `decided`, `handshake`
  let candidates: [Candidate]?
  let leg: String?
  // findings
  let address: String?
  let region: String?
  let offset: Int?
  let length: Int?
  let value: String?

  /// Reads a line; nil if it is not what the format says.
  init?(_ json: [UInt8]) {
    guard let members = try? JSONDecoder().decode(LogMembers.self, from: Data(json)) else {
      return nil
    }
    self = members
  }
}
