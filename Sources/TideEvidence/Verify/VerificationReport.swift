/// What checking a case came to.
public struct VerificationReport: Sendable {
  /// The conclusion.
  public enum Outcome: Hashable, Sendable {
    /// Every check that could be made succeeded.
    case intact
    /// Something is not what it was; `at` is the number of the line that it belongs to, where there is
    /// one.
    case altered(at: UInt64?, what: String)
    /// What is there is right, but from this line on something is missing.
    case incomplete(from: UInt64)
  }

  /// One thing that was checked.
  public struct Check: Hashable, Sendable {
    /// What: `chain`, `heads`, `bodies`, `findings`, `case`, `encryption`, `signer`, `signature`, `manifest`, `purges`,
    /// `timestamp`, `seal`, `wire`.
    public let name: String
    /// Whether it is right; nil if it was not checked.
    public let isGood: Bool?
    /// For people.
    public let detail: String
  }

  /// The conclusion.
  public let outcome: Outcome
  /// Each check, in the order made.
  public let checks: [Check]
  /// Whether there is a manifest.
  public let isSealed: Bool
  /// How many lines of the log are right.
  public let lines: UInt64
  /// The hash of the last of them, in hexadecimal.
  public let lastHash: String
  /// What the time-stamp says; nil if there is none.
  public let timestamp: TimestampVerification?

  /// `INTACT`, `ALTERED at seq N (what)`, or `INCOMPLETE from seq N`.
  public var summary: String {
    switch self.outcome {
    case .intact: "INTACT"
    case .altered(let sequence?, let what): "ALTERED at seq \(sequence) (\(what))"
    case .altered(nil, let what): "ALTERED (\(what))"
    case .incomplete(let sequence): "INCOMPLETE from seq \(sequence)"
    }
  }

  /// One line per check, then the summary.
  public var text: String {
    var lines: [String] = []
    for check in self.checks {
      let mark =
        switch check.isGood {
        case true?: "ok"
        case false?: "WRONG"
        case nil: "-"
        }
      lines.append("\(check.name): \(mark), \(check.detail)")
    }
    lines.append(self.summary)
    return lines.joined(separator: "\n") + "\n"
  }

  /// The report as one JSON object.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("summary", self.summary)
    json.member("sealed", self.isSealed)
    json.member("lines", self.lines)
    json.member("last_hash", self.lastHash)
    json.key("timestamp")
    if let timestamp { timestamp.write(into: &json) } else { json.null() }
    json.key("checks")
    json.beginArray()
    for check in self.checks {
      json.beginObject()
      json.member("name", check.name)
      json.key("good")
      if let isGood = check.isGood { json.value(isGood) } else { json.null() }
      json.member("detail", check.detail)
      json.endObject()
    }
    json.endArray()
    json.endObject()
    return json.bytes
  }
}
