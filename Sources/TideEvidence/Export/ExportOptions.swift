internal import TideCore

/// What an export is asked for, beside its format, its file and which flows.
public struct ExportOptions: Sendable {
  /// The version to name as creator.
  public var toolVersion: String
  /// Whether a file of the export's name is replaced; if not, that is a failure.
  public var replaces = false
  /// What the values of the case become; nil if they stay.
  public var shareSafe: ShareSafe?
  /// Whether NDJSON has the contents themselves, not their digests alone.
  public var hasContents = false

  /// Joins options.
  public init(toolVersion: String) { self.toolVersion = toolVersion }
}

/// What an export came to.
public struct ExportSummary: Sendable {
  /// The export.
  public let file: WrittenFile
  /// How many flows it has.
  public let flows: Int
  /// How many contents the case does not have, or has damaged.
  public let missing: Int
  /// How many contents were left out for their size.
  public let tooLarge: Int

  init(_ file: WrittenFile, _ tally: ExportTally) {
    self.file = file
    self.flows = tally.flows
    self.missing = tally.missing
    self.tooLarge = tally.tooLarge
  }

  /// One JSON object: `path bytes sha256 flows missing too_large`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.members(of: self.file)
    json.member("flows", self.flows)
    json.member("missing", self.missing)
    json.member("too_large", self.tooLarge)
    json.endObject()
    return json.bytes
  }
}

/// What is counted while an export is written.
struct ExportTally {
  var flows = 0
  /// Contents that the case does not have, or has damaged.
  var missing = 0
  /// Contents that were left out for their size.
  var tooLarge = 0
}
