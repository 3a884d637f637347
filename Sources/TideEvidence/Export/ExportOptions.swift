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
  /// The file; `-` for standard output.
  public let path: String
  /// How many flows it has.
  public internal(set) var flows = 0
  /// How many bytes.
  public internal(set) var bytes: UInt64 = 0
  /// The SHA-256 of those bytes, in hexadecimal.
  public internal(set) var sha256 = ""
  /// How many contents the case does not have, or has damaged.
  public internal(set) var missing = 0
  /// How many contents were left out for their size.
  public internal(set) var tooLarge = 0

  init(path: String) { self.path = path }

  /// One JSON object: `path flows bytes sha256 missing too_large`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("path", self.path)
    json.member("flows", self.flows)
    json.member("bytes", self.bytes)
    json.member("sha256", self.sha256)
    json.member("missing", self.missing)
    json.member("too_large", self.tooLarge)
    json.endObject()
    return json.bytes
  }
}
