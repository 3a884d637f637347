/// The inspectors that come with Tidewaiter: to add one, write its file and add a line here.
enum Builtins {
  /// The name under which the profile's own values are searched for.
  static let needles = "needles"

  static let inspectors: [any Inspector] = [
    IMEIInspector(),
    ICCIDInspector(),
    EmailInspector(),
    MACInspector(),
  ]
}

extension Inspector {
  /// The inspector's name, where only a value of it is at hand.
  var name: String { Self.id }
}
