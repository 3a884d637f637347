import Support
import TideCore
import TideInspect

/// A phone whose values are searched for, and what searches.
final class Laboratory {
  /// Values of our own.
  static let values: [(kind: String, value: String)] = [
    ("imei", "490154203237518"), ("imsi", "466920123456789"), ("iccid", "8988692000000000001"),
    ("msisdn", "+886912345678"), ("contact_phone", "+886955555501"),
    ("contact_name", "Tide Waiter QX"), ("contact_name", "林怡君"),
    ("carrier", "Formosa Harbour Telecom"), ("wifi_mac", "e4:34:f1:2f:5b:17"),
    ("android_id", "9774d56d682e549c"), ("gaid", "f863bff5-5648-48c0-be98-b209e5c95708"),
    ("email", "mei.harbour77@post.test"), ("sms_text", "See you at the quay at seven, don't tell."),
    ("gps", "25.0330,121.5654"), ("serial", "c61fbc9e7d25"), ("ssid", "harbour-attic-5g"),
  ]

  let context: InspectionContext

  init() {
    let phone = DeviceProfile(
      name: "phone",
      addresses: [],
      identifiers: Self.values.map { .init(kind: FindingKind($0.kind), value: $0.value) },
      sdkKeys: [
        .init(name: "lab", algorithm: "AES-128-ECB-PKCS7", key: Array(0..<16))
      ]
    )
    do {
      self.context = try InspectionContext(
        InspectionPlan(
          profiles: [phone],
          inspectors: nil,
          secret: [UInt8](repeating: 7, count: 32),
          limits: Self.limits
        )
      )
    } catch {
      fail("no laboratory: \(error)")
    }
  }

  /// Small, so that inputs reach them.
  private static var limits: Limits {
    var limits = Limits()
    limits.windowBytes = 128
    limits.decodedBytes = 256 << 10
    limits.decodedNodes = 4_096
    limits.decodedDepth = 6
    return limits
  }
}

/// A value of a kind, wherever it is.
struct Secret: Hashable {
  let kind: FindingKind
  let value: Bytes

  init(_ finding: Finding) {
    self.kind = finding.kind
    self.value = finding.value
  }
}

extension Collection<Finding> {
  /// What was found, for people.
  var shown: String {
    self.map { finding in
      "\(finding.kind) \(finding.value.text) at \(finding.path) \(finding.range)"
        + " in \(finding.encoding) by \(finding.inspector)"
    }
    .joined(separator: "; ")
  }
}
