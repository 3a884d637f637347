public import TideCore
internal import TideCrypto

/// What makes an export fit to be handed on: every value that the case is known to hold becomes a typed
/// placeholder of stable number, `[imei#1]`, wherever its bytes occur.
///
/// Values are those of the findings, cut out of what was recorded by their offsets and told by their HMAC,
/// and those that the caller knows, of a device's profile. docs/exports.md says what stays.
public struct ShareSafe: Sendable {
  /// A value that is looked for whether or not it was found.
  public struct KnownValue: Sendable {
    /// The kind, as in findings.
    public let kind: String
    /// The value, in its canonical spelling.
    public let value: Bytes

    /// Joins a value.
    public init(kind: String, value: Bytes) {
      self.kind = kind
      self.value = value
    }
  }

  /// What the export was made from, so that it can be held against it.
  public struct Origin: Sendable {
    /// The case's name.
    public internal(set) var caseName = ""
    /// The SHA-256 of its manifest in hexadecimal; nil if it is not sealed.
    public internal(set) var manifestSHA256: String?
    /// How many lines the tree had; 0 if none is known.
    public internal(set) var treeSize: UInt64 = 0
    /// The tree's root in hexadecimal; nil if none is known.
    public internal(set) var treeRoot: String?
  }

  /// Parts of a flow of which nothing may stay, as a value in them could not be told from the rest.
  struct Withheld: OptionSet, Sendable {
    let rawValue: UInt8
    static let requestHead = Withheld(rawValue: 1)
    static let responseHead = Withheld(rawValue: 2)
    static let requestContent = Withheld(rawValue: 4)
    static let responseContent = Withheld(rawValue: 8)

    static func head(_ direction: Direction) -> Withheld {
      direction == .request ? .requestHead : .responseHead
    }

    static func content(_ direction: Direction) -> Withheld {
      direction == .request ? .requestContent : .responseContent
    }
  }

  /// The most bytes of one content that are looked through; a larger one is withheld.
  static let longestContent = 16 << 20

  /// What the export was made from.
  public internal(set) var origin = Origin()
  var scrubber: ShareSafeScrubber
  /// The placeholder of each value, by the `hmac:` of its findings.
  var values: [String: Int32] = [:]
  var withheld: [UInt64: Withheld] = [:]
  /// The number of each device, by its name and by its addresses.
  var devices: [String: Int] = [:]

  /// Looks through a case for what must not be handed on.
  ///
  /// - Parameters:
  ///   - reader: the case.
  ///   - known: values to look for beside those that were found.
  ///   - progress: is told how far it is.
  /// - Returns: what makes exports of this case share-safe.
  /// - Throws: as `CaseReader`; `full` if the case has more values than can be looked for.
  public static func prepare(
    _ reader: CaseReader,
    known: [KnownValue] = [],
    progress: ExportProgress? = nil
  ) throws(EvidenceFailure) -> ShareSafe {
    var survey = try ShareSafeSurvey(reader)
    return try survey.run(known: known, progress: progress)
  }

  /// A text of the case with placeholders for what must not be handed on.
  public func text(_ text: String) -> String { self.scrubber.scrub(text) }

  /// A URL of the case, likewise.
  public func url(_ url: String) -> String { self.scrubber.scrub(url: url) }

  /// What stands for the value of a finding, by its `value` (`hmac:…`).
  public func placeholder(kind: String, value: String) -> String {
    guard let index = self.values[value] else { return "[\(kind)]" }
    return self.scrubber.placeholders[Int(index)].text(.plain)
  }

  /// What stands for a device, by its name or one of its addresses.
  public func device(_ name: String) -> String {
    self.devices[name].map { "[device#\($0)]" } ?? "[device]"
  }

  /// An event with placeholders in every member that could hold a value.
  func scrubbed(_ event: LogEvent) -> LogEvent {
    var members = event.members.members
    for index in members.indices {
      guard let value = self.scrubbed(members[index], event) else { continue }
      members[index].value = value
    }
    return LogEvent(event, members: JSONObject(members: members))
  }

  /// The member's new value; nil if it stays.
  private func scrubbed(_ member: (name: String, value: JSONValue), _ event: LogEvent) -> JSONValue?
  {
    switch (member.name, member.value) {
    case ("device", .string(let name)), ("client", .string(let name)): .string(self.device(name))
    case ("url", .string(let url)): .string(self.url(url, of: event.flow))
    case ("host", .string(let name)), ("sni", .string(let name)), ("authority", .string(let name)),
      ("name", .string(let name)):
      .string(self.scrubber.scrub(name, .host))
    case ("aliases", .array(let names)):
      .array(names.map { .string(self.scrubber.scrub($0.string ?? "", .host)) })
    case ("value", .string(let value)) where event.type == "finding":
      .string(self.placeholder(kind: event.members["kind"]?.string ?? "", value: value))
    case ("path", .string(let text)), ("text", .string(let text)), ("detail", .string(let text)):
      .string(self.text(text))
    case ("error", .object(let error)):
      .object(
        JSONObject(
          members: error.members.map { name, value in
            (name, name == "detail" ? .string(self.text(value.string ?? "")) : value)
          }
        )
      )
    case ("raw", .string): .null
    default: nil
    }
  }

  /// A flow's URL, without its path if the head that it came in is withheld.
  private func url(_ url: String, of flow: FlowID?) -> String {
    guard let flow, self.withheld[flow.number]?.contains(.requestHead) == true,
      let scheme = url.firstRange(of: "://")
    else { return self.url(url) }
    let end = url[scheme.upperBound...].firstIndex { $0 == "/" || $0 == "?" } ?? url.endIndex
    return self.url(String(url[..<end])) + "/%5Bwithheld%5D"
  }
}

extension LogEvent {
  /// An event with other members, on the same line.
  fileprivate init(_ event: LogEvent, members: JSONObject) {
    self.sequence = event.sequence
    self.time = event.time
    self.type = event.type
    self.members = members
    self.line = event.line
  }
}
