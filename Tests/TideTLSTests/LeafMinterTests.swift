import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct LeafMinterTests {
  let start: WallTime
  let authority: CertificateAuthority

  init() throws {
    self.start = now
    self.authority = try .generate(key: .p256, lifetimeSeconds: 90 * day, at: self.start)
  }

  @Test(
    "A leaf names its host and nothing else, and fits RFC 5280 to the letter",
    arguments: [
      "www.example", "under_score.example", "xn--bcher-kva.example", "192.0.2.1", "2001:db8::1",
      String(repeating: "long.", count: 20) + "example",
    ]
  )
  func profile(text: String) throws {
    let minter = try LeafMinter(authority: self.authority, capacity: 4)
    let leaf = try minter.leaf(for: host(text), at: self.start)
    let handle = unsafe leaf.certificate.handle
    unsafe #expect(X509_get_version(handle) == 2)
    #expect(leaf.notBefore == self.start.advanced(bySeconds: -3_600))
    #expect(leaf.notAfter == self.start.advanced(bySeconds: 30 * day))
    #expect(leaf.certificate.subject == (text.utf8.count <= 64 ? "CN=\(text)" : ""))
    unsafe #expect(X509_get_extended_key_usage(handle) == UInt32(XKU_SSL_SERVER))
    unsafe #expect(X509_get_key_usage(handle) == UInt32(KU_DIGITAL_SIGNATURE))
    unsafe #expect(X509_check_ca(handle) == 0)
    unsafe #expect(X509_get_ext_count(handle) == 6)
    let names = unsafe X509_get_ext(handle, X509_get_ext_by_NID(handle, NID_subject_alt_name, -1))
    unsafe #expect((X509_EXTENSION_get_critical(names) == 1) == (text.utf8.count > 64))
    let serial = unsafe X509_get0_serialNumber(handle)
    unsafe #expect((15...17).contains(ASN1_STRING_length(serial)))
    unsafe #expect(ASN1_STRING_type(serial) == V_ASN1_INTEGER, "positive")
    let issuer = unsafe X509_get0_authority_key_id(handle)
    let subject = unsafe X509_get0_subject_key_id(self.authority.certificate.handle)
    unsafe #expect(ASN1_STRING_cmp(issuer, subject) == 0)
    unsafe #expect(EVP_PKEY_eq(X509_get0_pubkey(handle), self.authority.key.handle) == 0)
    #expect(verifiesStrictly(leaf, for: host(text), under: self.authority))
    #expect(!verifiesStrictly(leaf, for: host("www.other.example"), under: self.authority))
    #expect(leftOverError == 0)
  }

  @Test(
    "A client that trusts the CA accepts the leaf, by RSA as by EC",
    arguments: KeyKind.allCases
  )
  func accepted(kind: KeyKind) throws {
    let authority = try CertificateAuthority.generate(
      key: kind,
      lifetimeSeconds: 90 * day,
      at: self.start
    )
    let minter = try LeafMinter(authority: authority, capacity: 4)
    for text in ["www.example", "2001:db8::1"] {
      let leaf = try minter.leaf(for: host(text), at: self.start)
      let pair = try SessionPair(leaf: leaf, trusting: authority.certificatePEM, name: text)
      #expect(pair.run().isEstablished)
    }
  }

  @Test("Leaves are kept, the least recently used goes first, serial numbers never repeat")
  func cache() throws {
    let minter = try LeafMinter(authority: self.authority, capacity: 3)
    let names = ["a.example", "b.example", "c.example", "d.example"].map { host($0) }
    var leaves: [Leaf] = []
    for name in names[..<3] { leaves.append(try minter.leaf(for: name, at: self.start)) }
    #expect(try minter.leaf(for: names[0], at: self.start) === leaves[0])
    #expect(minter.mintedCount == 3)
    let fourth = try minter.leaf(for: names[3], at: self.start)  // b goes
    #expect(minter.mintedCount == 4)
    #expect(try minter.leaf(for: names[2], at: self.start) === leaves[2])
    #expect(try minter.leaf(for: names[0], at: self.start) === leaves[0])
    #expect(try minter.leaf(for: names[3], at: self.start) === fourth)
    #expect(minter.mintedCount == 4)
    let again = try minter.leaf(for: names[1], at: self.start)  // c goes
    #expect(again !== leaves[1])
    #expect(again.certificateDER != leaves[1].certificateDER)
    #expect(try minter.leaf(for: names[0], at: self.start) === leaves[0])
    #expect(minter.mintedCount == 5)
  }

  @Test("However a small cache is used, it agrees with a plain list")
  func cacheModel() throws {
    let minter = try LeafMinter(authority: self.authority, capacity: 5)
    let hosts = (0..<9).map { host("h\($0).example") }
    let leaves = try hosts.map { try minter.leaf(for: $0, at: self.start) }
    var generator = SplitMix(seed: 5)
    for capacity in [0, 1, 2, 5] {
      var cache = LeafCache(capacity: capacity)
      var model: [Int] = []
      for _ in 0..<600 {
        let index = Int.random(in: 0..<hosts.count, using: &generator)
        let isKnown = model.contains(index)
        if Bool.random(using: &generator) {
          #expect((cache.leaf(for: hosts[index]) === leaves[index]) == isKnown)
          guard isKnown else { continue }
        } else {
          cache.insert(leaves[index])
        }
        model.removeAll { $0 == index }
        model.append(index)
        if model.count > max(1, capacity) { model.removeFirst() }
      }
    }
  }

  @Test("A leaf near its end is made anew, and one from the future too")
  func freshness() throws {
    let minter = try LeafMinter(authority: self.authority, capacity: 4)
    let name = host("www.example")
    let first = try minter.leaf(for: name, at: self.start)
    #expect(try minter.leaf(for: name, at: self.start.advanced(bySeconds: 26 * day)) === first)
    let later = try minter.leaf(for: name, at: self.start.advanced(bySeconds: 28 * day))
    #expect(later !== first)
    #expect(later.notAfter == self.start.advanced(bySeconds: 58 * day))
    let earlier = try minter.leaf(for: name, at: self.start)
    #expect(earlier !== later)
    #expect(minter.mintedCount == 3)
  }

  @Test("No leaf outlives or predates its CA, and the last one is kept to the end")
  func boundedByAuthority() throws {
    let short = try CertificateAuthority.generate(
      key: .p256,
      lifetimeSeconds: 7_200,
      at: self.start
    )
    let minter = try LeafMinter(authority: short, capacity: 4)
    let name = host("www.example")
    let leaf = try minter.leaf(for: name, at: self.start)
    #expect(leaf.notAfter == short.notAfter)
    let atTheEnd = self.start.advanced(bySeconds: 7_199)
    #expect(try minter.leaf(for: name, at: atTheEnd) === leaf)
    let dawn = short.notBefore.advanced(bySeconds: 60)
    #expect(try minter.leaf(for: name, at: dawn).notBefore == short.notBefore)
    for outside in [short.notBefore.advanced(bySeconds: -1), short.notAfter] {
      let failure = #expect(throws: TLSFailure.self) { try minter.leaf(for: name, at: outside) }
      #expect(failure?.code == .certificate)
    }
  }
}
