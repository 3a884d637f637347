public import TideCore

extension DeviceDocument {
  /// The text of a new device's file, which `parse` reads and the owner fills in.
  ///
  /// - Parameters:
  ///   - name: the device's name.
  ///   - ip: its address, if known.
  /// - Returns: the file's text.
  /// - Throws: if the name cannot be a device's.
  public static func template(name: String, ip: IPAddress?) throws(ConfigFailure) -> String {
    let form = ScalarForm<String>.profileName
    guard form.read(name) != nil else {
      let reason = form.objection(name) ?? "is not \(form.expected)"
      throw ConfigFailure(
        problems: [
          ConfigProblem(location: nil, message: "\(name.quotedForMessage) \(reason)")
        ]
      )
    }
    let match =
      ip.map { "match: { ip: \"\($0)\" }" }
      ?? "match: {}                # { ip: ADDRESS or CIDR } or { user: NAME of listen.auth }"
    return """
      name: \(YAMLText.quoted(name))
      \(match)
      # The device's own values, each a list, written as the device shows them; what is not listed is only
      # found by its pattern. This file identifies a person: keep it private.
      identifiers:
        imei: []               # dial *#06#
        imsi: []
        iccid: []              # printed on the SIM card
        msisdn: []             # with the country code; national spellings are derived
        android_id: []
        serial: []
        wifi_mac: []
        email: []
      # also: \(Self.otherKinds)
      canary: { contact: [], sms: [] }   # planted by you, searched for: `tidewaiter device canary` makes some
      sdk_keys: []

      """
  }

  private static var otherKinds: String {
    let listed = ["imei", "imsi", "iccid", "msisdn", "android_id", "serial", "wifi_mac", "email"]
    return Self.kinds.filter { !listed.contains($0) }.joined(separator: " ")
  }
}
