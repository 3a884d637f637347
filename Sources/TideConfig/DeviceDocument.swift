public import TideCore
import TidePolicy

/// A device's file (PRODUCT.md section 8).
public enum DeviceDocument {
  /// What section 8 promises and this version does not have.
  static let unavailable: [Unavailable] = [
    .except("null", "match.mac")
  ]

  /// The kinds that can be looked for: all but `opaque`, which is a property of bodies.
  static let kinds = FindingKind.known.filter { $0 != "opaque" }

  /// Reads a device's profile, canaries included.
  ///
  /// Values are taken letter by letter as written, so that numbers keep their zeros without quotes.
  ///
  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - path: the file's name, for messages.
  /// - Returns: the profile.
  /// - Throws: every problem of the file, each with its place.
  public static func parse(yaml: String, path: String) throws(ConfigFailure) -> DeviceProfile {
    let session = ReadingSession(file: path, unavailable: Self.unavailable)
    let document = YAMLReader.read(yaml, path: path, session.problems)
    var root = MappingReader(session.strikeUnavailable(from: document), session: session)
    var name: String?
    root.read("name", required: .profileName, into: &name)
    var addresses: [CIDR] = []
    var match = root.section("match")
    match.read("ip", listOf: .block, into: &addresses)
    var users: [String] = []
    match.read("user", listOf: .deviceName, into: &users)
    match.finish()
    let identifiers = Self.identifiers(&root) + Self.canaries(&root)
    let keys = Self.keys(&root)
    root.finish()
    if let failure = session.problems.failure { throw failure }
    return DeviceProfile(
      name: name ?? "",
      addresses: addresses,
      users: users,
      identifiers: identifiers,
      sdkKeys: keys
    )
  }

  private static func identifiers(_ root: inout MappingReader) -> [DeviceProfile.Identifier] {
    var reader = root.section("identifiers")
    var identifiers: [DeviceProfile.Identifier] = []
    for kind in Self.kinds {
      var values: [String] = []
      reader.read(kind, listOf: .text, into: &values)
      identifiers += values.map { .init(kind: FindingKind(kind), value: $0) }
    }
    reader.finish()
    return identifiers
  }

  /// What is planted on the device to be found again counts as its own.
  private static func canaries(_ root: inout MappingReader) -> [DeviceProfile.Identifier] {
    var canary = root.section("canary")
    var identifiers: [DeviceProfile.Identifier] = []
    if let contacts = canary.value("contact") {
      for contact in Self.items(of: contacts) {
        var reader = MappingReader(
          contact,
          path: "canary.contact",
          what: "a contact: { name: …, phone: … }",
          session: canary.session
        )
        var name: String?
        var phone: String?
        reader.read("name", orNull: .text, into: &name)
        reader.read("phone", orNull: .text, into: &phone)
        reader.finish()
        if let name { identifiers.append(.init(kind: .contactName, value: name)) }
        if let phone { identifiers.append(.init(kind: .contactPhone, value: phone)) }
      }
    }
    var messages: [String] = []
    canary.read("sms", listOf: .text, into: &messages)
    canary.finish()
    return identifiers + messages.map { .init(kind: FindingKind("sms_text"), value: $0) }
  }

  static func items(of value: YAMLValue) -> [YAMLValue] {
    if case .list(let items) = value.content { return items }
    return [value]
  }
}

extension ScalarForm where Value == String {
  /// A device's name, other than the one under which the proxy's own requests are recorded
  /// (`ConnectionMachine.ownDevice`): a case could not tell the two apart.
  static var profileName: Self {
    let form = Self.deviceName
    let own = "tidewaiter"
    return Self(
      expected: form.expected,
      objection: { $0 == own ? "is what the proxy's own requests are recorded as" : nil },
      read: { $0 == own ? nil : form.read($0) }
    )
  }

  /// A name that can stand in a file's name, a filter (`device:redmi`) and a comma-separated list.
  ///
  /// A proxy user's is one too: it becomes the device's where no profile has the user.
  static var deviceName: Self {
    Self(expected: "a name without blanks and / : , of at most 64 characters") { text in
      let isLegal = text.unicodeScalars.allSatisfy { scalar in
        scalar.value > 0x20 && !scalar.properties.isWhitespace
          && !"/:,\u{7F}".unicodeScalars.contains(scalar)
      }
      return isLegal && (1...64).contains(text.count) && !text.hasPrefix(".") ? text : nil
    }
  }
}
