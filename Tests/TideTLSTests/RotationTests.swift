import Testing
import TideCore

@testable import TideTLS

@Suite struct RotationTests {
  let start = now
  let old: CertificateAuthority
  let new: CertificateAuthority

  init() throws {
    self.old = try .generate(key: .p256, lifetimeSeconds: 10 * day, at: now)
    self.new = try .generate(key: .p256, lifetimeSeconds: 90 * day, at: now)
  }

  private func isTrusted(_ leaf: Leaf, by authority: CertificateAuthority) throws -> Bool {
    try SessionPair(
      leaf: leaf,
      trusting: authority.certificatePEM,
      name: "www.example"
    ).run().isEstablished
  }

  @Test("After a rotation each device is shown a leaf of the CA that it knows")
  func both() throws {
    let minter = try LeafMinter(authority: self.new, previous: self.old, capacity: 4)
    let name = host("www.example")
    let current = try minter.leaf(for: name, at: self.start)
    let previous = try minter.leaf(for: name, at: self.start, issuer: .previous)
    #expect(try self.isTrusted(current, by: self.new))
    #expect(try !self.isTrusted(current, by: self.old))
    #expect(try self.isTrusted(previous, by: self.old))
    #expect(try !self.isTrusted(previous, by: self.new))
    #expect(previous.notAfter == self.old.notAfter, "no leaf outlives its CA")
    #expect(try minter.leaf(for: name, at: self.start) === current)
    #expect(try minter.leaf(for: name, at: self.start, issuer: .previous) === previous)
    #expect(minter.mintedCount == 2)
  }

  @Test("The CA before the rotation signs until it ends, and not a second longer")
  func end() throws {
    let minter = try LeafMinter(authority: self.new, previous: self.old, capacity: 4)
    let name = host("www.example")
    let last = self.old.notAfter.advanced(bySeconds: -1)
    #expect(minter.hasPrevious(at: self.start) && minter.hasPrevious(at: last))
    #expect(!minter.hasPrevious(at: self.old.notAfter))
    _ = try minter.leaf(for: name, at: last, issuer: .previous)
    #expect(throws: TLSFailure.self) {
      try minter.leaf(for: name, at: self.old.notAfter, issuer: .previous)
    }
    _ = try minter.leaf(for: name, at: self.old.notAfter)
  }

  @Test("Without a rotation there is no other CA")
  func none() throws {
    let minter = try LeafMinter(authority: self.new, capacity: 4)
    #expect(!minter.hasPrevious(at: self.start))
    let failure = #expect(throws: TLSFailure.self) {
      try minter.leaf(for: host("www.example"), at: self.start, issuer: .previous)
    }
    #expect(failure?.code == .certificate)
  }

  @Test("A previous CA that may not vouch for a host is none for it")
  func limited() throws {
    let limited = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: day,
      at: self.start,
      permitting: [.domain(try #require(Hostname("miui.com")))]
    )
    let minter = try LeafMinter(authority: self.new, previous: limited, capacity: 4)
    #expect(minter.hasPrevious(at: self.start, for: host("a.miui.com")))
    #expect(!minter.hasPrevious(at: self.start, for: host("www.example")))
  }
}
