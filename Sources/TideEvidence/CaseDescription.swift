internal import TideCore

/// What a case is about: written to `case.json` when it is made and to the log at each start.
public struct CaseDescription: Sendable {
  /// Who records; empty if not said.
  public var operatorName: String
  /// The names of the devices under test.
  public var devices: [String]
  /// The mode, such as `record`.
  public var mode: String
  /// The version of the tool.
  public var toolVersion: String
  /// The regions that `watched` stands for.
  public var watched: [String]
  /// The configuration, rules and region databases in use.
  public var sources: [Source]

  /// A file that decides what is recorded and how it is judged.
  public struct Source: Hashable, Sendable {
    /// What it is for.
    public enum Role: String, CaseIterable, Sendable {
      /// `tidewaiter.yaml`.
      case configuration
      /// A file of rules.
      case rules
      /// A region database.
      case regions
    }

    /// What it is for.
    public let role: Role
    /// Its name or path.
    public let name: String
    /// The database's own date or version, if it has one.
    public let date: String?
    /// The SHA-256 of its bytes, in hexadecimal.
    public let sha256: String

    /// Joins what is said of a file.
    public init(role: Role, name: String, date: String? = nil, sha256: String) {
      self.role = role
      self.name = name
      self.date = date
      self.sha256 = sha256
    }
  }

  /// Joins a description.
  public init(
    operatorName: String = "",
    devices: [String] = [],
    mode: String,
    toolVersion: String,
    watched: [String] = [],
    sources: [Source] = []
  ) {
    self.operatorName = operatorName
    self.devices = devices
    self.mode = mode
    self.toolVersion = toolVersion
    self.watched = watched
    self.sources = sources
  }

  /// Writes the members, into an object that is open.
  func write(into json: inout JSONWriter) {
    json.member("tool", "tidewaiter")
    json.member("version", self.toolVersion)
    json.member("mode", self.mode)
    json.member("operator", self.operatorName)
    json.member("devices", self.devices)
    json.member("watched", self.watched)
    for role in Source.Role.allCases {
      json.key(text: role.rawValue)
      json.beginArray()
      for source in self.sources where source.role == role {
        json.beginObject()
        json.member("name", source.name)
        json.member("date", source.date)
        json.member("sha256", source.sha256)
        json.endObject()
      }
      json.endArray()
    }
  }
}
