import TideCore

/// The inspectors that come with Tidewaiter: to add one, write its file and add a line here.
enum Builtins {
  /// The name under which the profile's own values are searched for.
  static let needles = "needles"

  /// Those that look at runs of bytes.
  static func inspectors(_ material: InspectorMaterial) -> [any Inspector] {
    [
      IMEIInspector(),
      ICCIDInspector(),
      EmailInspector(),
      MACInspector(),
      GroupedNumberInspector(material.profiles),
    ]
  }

  /// Those that look at leaves.
  static func leafInspectors(_ material: InspectorMaterial) -> [any LeafInspector] {
    [
      PositionInspector(material.values("gps")),
      PhoneInspector(),
      ContactListInspector(),
      NamedValueInspector(),
      AppListInspector(),
      BrowsingInspector(),
      CredentialInspector(),
      OpaqueInspector(),
    ]
  }
}

/// What the profiles say that inspectors need: a position is matched by distance, not by text.
struct InspectorMaterial {
  let profiles: [DeviceProfile]

  init(_ profiles: [DeviceProfile]) { self.profiles = profiles }

  /// The profiles' values of a kind, as the owner wrote them.
  func values(_ kind: String) -> [String] {
    self.profiles.flatMap(\.identifiers).filter { $0.kind.name == kind }.map(\.value)
  }
}

extension Inspector {
  /// The inspector's name, where only a value of it is at hand.
  var name: String { Self.id }
}
