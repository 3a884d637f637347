import Testing
import TideCore
import TideTLS

@testable import TideProxy

@Suite("What devices make of our leaves")
struct TrustLedgerTests {
  private let ledger = TrustLedger(learning: .init(after: 3, duration: 600), capacity: 16)
  private let phone = "phone"
  private let api = World.host("api.example")
  private let web = World.host("www.example")
  private let unknownCA = LeafRefusal(alert: 48)

  private func refuse(
    _ host: Host,
    _ refusal: LeafRefusal,
    device: String = "phone",
    issuer: LeafIssuer = .current,
    at seconds: Int64 = 0
  ) -> RefusalReport? {
    self.ledger.refused(device, host, refusal, issuer: issuer, at: self.time(seconds))
  }

  private func time(_ seconds: Int64) -> WallTime { World.wall.advanced(bySeconds: seconds) }

  @Test("A device that accepts no leaf does not trust our CA")
  func untrusting() {
    let report = self.refuse(self.api, self.unknownCA)
    #expect(report?.kind == .untrustedAuthority)
    #expect(report?.detail.contains("unknown_ca") == true)
    #expect(self.ledger.untrusting == ["phone"])
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    #expect(self.ledger.untrusting.isEmpty)
  }

  @Test("A device that accepts leaves elsewhere pins the host that it refuses")
  func pinned() {
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    #expect(self.refuse(self.api, self.unknownCA)?.kind == .pinned)
    #expect(self.refuse(self.api, LeafRefusal(alert: 42))?.kind == .pinned)
    #expect(self.ledger.untrusting.isEmpty)
    #expect(self.ledger.refusals.count == 1)
    #expect(
      self.ledger.refusals.first?.contains("pins (bad_certificate, 2 times in a row)") == true
    )
    // Of another device nothing is concluded from this one.
    #expect(self.refuse(self.api, self.unknownCA, device: "tablet")?.kind == .untrustedAuthority)
  }

  @Test(
    "Alerts and silence are told apart",
    arguments: [
      (45, Coverage.clientClock), (40, .clientCipher), (70, .clientCipher), (0, .clientClosed),
      (46, .untrustedAuthority),
    ] as [(UInt8, Coverage)]
  )
  func classes(alert: UInt8, kind: Coverage) {
    #expect(self.refuse(self.api, LeafRefusal(alert: alert))?.kind == kind)
  }

  @Test("A broken session, or one closed long after, tells nothing of the leaf, and is not counted")
  func unrelated() {
    #expect(self.refuse(self.api, .silence(prompt: false)) == nil)
    #expect(self.refuse(self.api, .other) == nil)
    #expect(self.ledger.refusals.isEmpty)
  }

  @Test("After three refusals a host is relayed for its time, then tried once more")
  func learning() {
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    #expect(self.refuse(self.api, self.unknownCA)?.isLearned == false)
    #expect(self.refuse(self.api, .silence(prompt: true))?.isLearned == false)
    #expect(self.refuse(self.api, self.unknownCA)?.isLearned == false)
    #expect(!self.ledger.isLearned(self.phone, self.api, at: self.time(0)))
    #expect(self.refuse(self.api, self.unknownCA)?.isLearned == true)
    #expect(self.ledger.isLearned(self.phone, self.api, at: self.time(599)))
    #expect(!self.ledger.isLearned(self.phone, self.web, at: self.time(0)))
    #expect(!self.ledger.isLearned("tablet", self.api, at: self.time(0)))
    let learned = self.ledger.learned(at: self.time(1))
    #expect(learned.map(\.host) == [self.api])
    #expect(learned.first?.until == self.time(600))
    // The time is over: one try, and its refusal is enough.
    #expect(!self.ledger.isLearned(self.phone, self.api, at: self.time(600)))
    #expect(self.refuse(self.api, self.unknownCA, at: 601)?.isLearned == true)
    #expect(self.ledger.isLearned(self.phone, self.api, at: self.time(1_200)))
  }

  @Test("An acceptance in between begins the count anew")
  func acceptance() {
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    _ = self.refuse(self.api, self.unknownCA)
    _ = self.refuse(self.api, self.unknownCA)
    self.ledger.accepted(self.phone, self.api, issuer: .current)
    #expect(self.refuse(self.api, self.unknownCA)?.isLearned == false)
  }

  @Test("A wrong clock, a lack of suites and a close without a word are no reason to relay a host")
  func unlearned() {
    for refusal in [LeafRefusal(alert: 45), LeafRefusal(alert: 40), .silence(prompt: true)] {
      for _ in 0..<5 { #expect(self.refuse(self.api, refusal)?.isLearned == false) }
    }
  }

  @Test("What was learned before the device trusted our CA is forgotten when it does")
  func installed() {
    for _ in 0..<3 { _ = self.refuse(self.api, self.unknownCA) }
    #expect(self.ledger.isLearned(self.phone, self.api, at: self.time(0)))
    for _ in 0..<3 { _ = self.refuse(self.api, self.unknownCA, device: "tablet") }
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    #expect(!self.ledger.isLearned(self.phone, self.api, at: self.time(0)))
    #expect(self.ledger.isLearned("tablet", self.api, at: self.time(0)))
  }

  @Test("A passthrough can be revoked, for one device or for all")
  func revoked() {
    for device in ["phone", "tablet"] {
      self.ledger.accepted(device, self.web, issuer: .current)
      for _ in 0..<3 { _ = self.refuse(self.api, self.unknownCA, device: device) }
    }
    #expect(self.ledger.revoke(self.web, device: nil, at: self.time(1)) == 0)
    #expect(self.ledger.revoke(self.api, device: "tablet", at: self.time(1)) == 1)
    #expect(!self.ledger.isLearned("tablet", self.api, at: self.time(1)))
    #expect(self.ledger.isLearned(self.phone, self.api, at: self.time(1)))
    #expect(self.ledger.revoke(self.api, device: nil, at: self.time(1)) == 1)
    #expect(self.ledger.learned(at: self.time(1)).isEmpty)
  }

  @Test("After a rotation a device that refuses the new CA is shown leaves of the one before")
  func rotation() {
    #expect(self.ledger.issuer(for: self.phone) == .current)
    _ = self.refuse(self.api, self.unknownCA)
    #expect(self.ledger.issuer(for: self.phone) == .previous)
    self.ledger.accepted(self.phone, self.api, issuer: .previous)
    #expect(self.ledger.issuer(for: self.phone) == .previous)
    // It has both now: what was once accepted is not left for a pin.
    self.ledger.accepted(self.phone, self.api, issuer: .current)
    _ = self.refuse(self.web, self.unknownCA)
    #expect(self.ledger.issuer(for: self.phone) == .current)
  }

  @Test("A device that trusts neither CA is shown them in turn")
  func neither() {
    _ = self.refuse(self.api, self.unknownCA)
    _ = self.refuse(self.api, self.unknownCA, issuer: .previous)
    #expect(self.ledger.issuer(for: self.phone) == .current)
  }

  @Test("A device that refuses thousands of names loses its own and not another's")
  func fair() {
    self.ledger.accepted(self.phone, self.web, issuer: .current)
    for _ in 0..<3 { _ = self.refuse(self.api, self.unknownCA) }
    for number in 0..<100 {
      _ = self.refuse(World.host("h\(number).example"), self.unknownCA, device: "tablet")
    }
    #expect(self.ledger.isLearned(self.phone, self.api, at: self.time(1)))
  }

  @Test("A refusal that relaying could not mend is classified, and teaches nothing")
  func noServer() {
    for _ in 0..<5 {
      let report = self.ledger.refused(
        self.phone,
        self.api,
        self.unknownCA,
        issuer: .current,
        teaches: false,
        at: self.time(0)
      )
      #expect(report?.kind == .untrustedAuthority)
      #expect(report?.isLearned == false)
    }
  }

  @Test("The ledger forgets what was heard of least recently, and stays within its bound")
  func bounded() {
    for number in 0..<100 { _ = self.refuse(World.host("h\(number).example"), self.unknownCA) }
    #expect(self.ledger.refusals.count <= 16)
    #expect(self.ledger.refusals.contains { $0.contains("h99.example") })
    #expect(!self.ledger.refusals.contains { $0.contains("h0.example") })
  }
}
