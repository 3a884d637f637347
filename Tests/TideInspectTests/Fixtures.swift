import TideCore
import TideCrypto

@testable import TideInspect

/// The phone of the 2014 test, with values of our own.
enum Phone {
  static let imei = "490154203237518"
  static let imsi = "466920123456789"
  static let iccid = "8988692000000000001"
  static let own = "+886912345678"
  static let contact = "+886955555501"
  static let name = "Tide Waiter QX"
  static let hanName = "林怡君"
  static let carrier = "Formosa Harbour Telecom"
  static let mac = "e4:34:f1:2f:5b:17"
  static let androidID = "9774d56d682e549c"
  static let gaid = "f863bff5-5648-48c0-be98-b209e5c95708"
  static let email = "mei.harbour77@post.test"
  static let sms = "See you at the quay at seven, don't tell."

  static let profile = DeviceProfile(
    name: "redmi",
    addresses: [],
    identifiers: [
      (.imei, imei), (.imsi, imsi), (.iccid, iccid), (.msisdn, own), (.contactPhone, contact),
      (.contactName, name), (.contactName, hanName), (.carrier, carrier), (.wifiMAC, mac),
      (FindingKind("android_id"), androidID), (FindingKind("gaid"), gaid), (.email, email),
      (FindingKind("sms_text"), sms),
    ].map { DeviceProfile.Identifier(kind: $0, value: $1) }
  )

  /// H(x) of the 2014 code: the first 16 characters of URL-safe base64 of SHA-1.
  static func h(_ text: String) -> String {
    String(Base64.url.encode(Digest.sha1.hash(Array(text.utf8))).prefix(16))
  }

  static func hex(_ digest: Digest, _ text: String) -> String {
    ASCII.hex(digest.hash(Array(text.utf8)))
  }

  static func base64(_ text: String) -> String { Base64.standard.encode(Array(text.utf8)) }
}

/// One context for all tests of a process would be shared between threads; one per test is cheap.
func makeContext(
  _ profiles: [DeviceProfile] = [Phone.profile],
  inspectors: [String]? = nil,
  additional: [any Inspector] = [],
  secret: UInt8 = 7,
  limits: Limits = Limits()
) throws -> InspectionContext {
  try InspectionContext(
    InspectionPlan(
      profiles: profiles,
      inspectors: inspectors,
      additional: additional,
      secret: [UInt8](repeating: secret, count: 32),
      limits: limits
    )
  )
}

func request(
  _ target: String = "/collect",
  _ fields: [(String, String)] = [],
  method: String = "POST"
) -> MessageHead {
  MessageHead(
    start: .request(method: Bytes(method), target: Bytes(target)),
    fields: HeaderFields([("Host", "api.example")] + fields)
  )
}

extension InspectionContext {
  /// Inspects a body that arrives in these pieces.
  func findings(_ pieces: [Bytes], _ fields: [(String, String)] = []) -> [Finding] {
    var findings: [Finding] = []
    let body = self.makeBodyInspection(head: request("/", fields), direction: .request)
    for piece in pieces { body?.receive(piece, &findings) }
    body?.finish(&findings)
    return findings
  }

  func findings(_ body: String, _ fields: [(String, String)] = []) -> [Finding] {
    self.findings([Bytes(body)], fields)
  }
}

extension Finding {
  /// The finding in a line, for comparison: `imei certain body $.d.imei md5`.
  var line: String {
    ([self.kind.name, self.certainty.rawValue, self.location.rawValue, self.path] + self.encoding)
      .joined(separator: " ")
  }
}

/// A small generator with a seed, so that a failing case comes again.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    // SplitMix64 (Steele, Lea, Flood 2014).
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var z = self.state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
