internal import TideCore

extension TimestampVerification {
  /// The line of the report on a time-stamp, or on that there is none where one was asked for.
  static func check(_ timestamp: Self?, isRequired: Bool) -> VerificationReport.Check? {
    guard let timestamp else {
      guard isRequired else { return nil }
      return VerificationReport.Check(
        name: "timestamp",
        isGood: false,
        detail: "there is none: no \(self.fileName), or no seal that it could be of"
      )
    }
    // Whoever checks it knows whose roots to trust: that we know none of them says nothing of the token.
    let isOpen = timestamp.isGood && !timestamp.isTrusted && !isRequired
    return VerificationReport.Check(
      name: "timestamp",
      isGood: isOpen ? nil : timestamp.isGood && timestamp.isTrusted,
      detail: timestamp.detail
    )
  }

  /// What that comes to, as `ALTERED (what)`.
  static func problem(_ timestamp: Self?, isRequired: Bool) -> String? {
    if let timestamp, !timestamp.isGood { return "\(self.fileName) is wrong" }
    return isRequired && timestamp?.isTrusted != true ? "timestamp" : nil
  }

  /// Writes it as a member's value.
  func write(into json: inout JSONWriter) {
    json.beginObject()
    json.member("time", self.time?.rfc3339)
    json.member("authority", self.name)
    json.member("serial", self.serial)
    json.member("good", self.isGood)
    json.member("trusted", self.isTrusted)
    json.endObject()
  }
}
