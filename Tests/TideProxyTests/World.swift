import Glibc
import Synchronization
import TideCore
import TideInspect
import TidePolicy
import TideRegion
import TideTLS

@testable import TideProxy

/// What all playbooks share: three CAs, made at run time, and one small set of things to look for.
enum World {
  static let day: Int64 = 86_400
  /// The IMEI of the device's profile, and one that belongs to nobody's profile.
  static let imei = "490154203237518"

  /// The time by the machine's clock, which OpenSSL's verification goes by.
  static let wall = WallTime(seconds: Int64(time(nil)))

  /// The proxy's CA, the CA of the servers, and one that nobody trusts.
  static let proxyCA = Result { try Self.authority("proxy") }
  static let originCA = Result { try Self.authority("origin") }
  static let strangerCA = Result { try Self.authority("stranger") }

  static let profile = DeviceProfile(
    name: "redmi",
    addresses: [CIDR("192.0.2.200/32")].compactMap(\.self),
    users: ["redmi-user"],
    identifiers: [.init(kind: .imei, value: Self.imei)]
  )

  static let documentation = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"]
    .compactMap { CIDR($0) }

  /// 203.0.113.0/24 is the region `lab-cn`; all else is nowhere.
  static let regions = RegionTable(
    databases: [],
    sets: [
      RegionSet(
        name: "lab-cn",
        country: "CN",
        cidrs: [CIDR("203.0.113.0/24")].compactMap(\.self)
      )
    ]
  )

  static func plan(_ limits: Limits) throws -> InspectionPlan {
    try InspectionPlan(
      profiles: [Self.profile],
      inspectors: nil,
      secret: [UInt8](repeating: 7, count: 32),
      limits: limits
    )
  }

  private static func authority(_ label: String) throws -> CertificateAuthority {
    try .generate(key: .p256, lifetimeSeconds: 90 * Self.day, at: Self.wall, label: label)
  }

  static func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("not an address: \(text)") }
    return address
  }

  static func host(_ text: String) -> Host {
    guard let host = Host(text) else { preconditionFailure("not a host: \(text)") }
    return host
  }
}

/// A rule in one line: `rule("no-imei", .block) { $0.finding = ["imei"] }`.
func rule(
  _ id: String,
  _ then: Action,
  how: BlockMethod? = nil,
  holdsBody: Bool = false,
  otherwise: Action = .block,
  when: (inout Conditions) -> Void = { _ in }
) -> Rule {
  var conditions = Conditions()
  when(&conditions)
  return Rule(
    id: RuleID(id),
    when: conditions,
    then: then,
    how: how,
    holdsBody: holdsBody,
    otherwise: otherwise,
    location: SourceLocation(file: "rules.yaml", line: 1, column: 1)
  )
}

/// Keeps every event; says that there is no room while `isFull`.
final class CollectingSink: FlowEventSink {
  private let state = Mutex<(events: [FlowEvent], isFull: Bool)>(([], false))

  func offer(_ event: FlowEvent) -> Offer {
    self.state.withLock { state in
      state.events.append(event)
      return state.isFull ? .pause : .accepted
    }
  }

  var hasRoom: Bool { !self.isFull }

  var isFull: Bool {
    get { self.state.withLock { $0.isFull } }
    set { self.state.withLock { $0.isFull = newValue } }
  }

  var events: [FlowEvent] { self.state.withLock { $0.events } }
}

/// Answers with what it was asked, so that a test can read it off the page.
final class FakeSite: LocalSite {
  private let rejections = Mutex(0)

  var rejectionCount: Int { self.rejections.withLock { $0 } }

  func isOwn(_ host: Hostname) -> Bool {
    host.text == "tidewaiter.internal" || host.text.hasSuffix(".tidewaiter.internal")
  }

  func respond(to request: LocalRequest) -> LocalResponse {
    LocalResponse(
      status: 200,
      fields: [("Content-Type", "text/plain")],
      body: Bytes(
        "own \(request.host)\(request.path) through: \(request.isThroughProxy) secure: \(request.isSecure)"
      )
    )
  }

  func page(for notice: Notice) -> LocalResponse {
    LocalResponse(
      status: notice.status,
      fields: [("Content-Type", "text/plain")],
      body: Bytes(
        "page \(notice.failure.code.rawValue) rule: \(notice.rule?.text ?? "none") for: \(notice.authority)"
      )
    )
  }

  func clientRejectedCertificate(_ client: IPAddress) { self.rejections.withLock { $0 += 1 } }
}

/// SplitMix64: the same sequence for the same seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
