import COpenSSL
import Testing
import TideCore

@testable import TideTLS

@Suite struct NameConstraintTests {
  private static func limited(_ names: [String]) throws -> CertificateAuthority {
    try .generate(
      key: .p256,
      lifetimeSeconds: 90 * day,
      at: now,
      permitting: names.map { try #require(PermittedName($0)) }
    )
  }

  /// A CA with any name constraints, as an operator may bring one.
  private static func brought(_ value: [UInt8]) throws -> CertificateAuthority {
    let identity = try TestIdentity.authority(
      "operator",
      extensions: [
        CertificateExtension(kind: NID_name_constraints, isCritical: true, value: value)
      ]
    )
    return try CertificateAuthority(certificatePEM: identity.pem, keyPEM: try identity.key.pem())
  }

  /// What OpenSSL makes of a leaf for `host` under `authority`; it does not ask us.
  private func verifies(_ host: Host, under authority: CertificateAuthority) throws -> Bool {
    let leaf = try TestIdentity.server(
      [host],
      issuer: TestIdentity(certificate: authority.certificate, key: authority.key)
    )
    let store = unsafe X509_STORE_new()
    defer { unsafe X509_STORE_free(store) }
    unsafe X509_STORE_add_cert(store, authority.certificate.handle)
    let context = unsafe X509_STORE_CTX_new()
    defer { unsafe X509_STORE_CTX_free(context) }
    unsafe X509_STORE_CTX_init(context, store, leaf.certificate.handle, nil)
    defer { ERR_clear_error() }
    return unsafe X509_verify_cert(context) == 1
  }

  static let hosts = [
    "miui.com", "www.miui.com", "a.b.miui.com", "xmiui.com", "miui.com.example", "com",
    "other.example",
    "tidewaiter.internal", "check.tidewaiter.internal", "internal", "192.0.2.7", "192.0.3.7",
    "2001:db8::7", "2001:db9::7", "under_score.miui.com", "xn--bcher-kva.miui.com",
  ]

  @Test(
    "A limited CA permits just what OpenSSL accepts of it",
    arguments: [
      ["*.miui.com"], ["miui.com"], ["www.miui.com"], ["192.0.2.0/24"], ["2001:db8::/32", "com"],
      ["192.0.2.7", "*.example", "2001:db8::7"], ["tidewaiter.internal"],
    ]
  )
  func agreesWithOpenSSL(names: [String]) throws {
    let authority = try Self.limited(names)
    var permitted: [String] = []
    for text in Self.hosts {
      let isPermitted = authority.permits(host(text))
      #expect(try self.verifies(host(text), under: authority) == isPermitted, "\(text)")
      if isPermitted { permitted.append(text) }
    }
    #expect(permitted.contains("check.tidewaiter.internal"), "our own pages, whatever is audited")
    #expect(permitted.count < Self.hosts.count)
    #expect(leftOverError == 0)
  }

  @Test("Names that are too many for a certificate are refused, naming the key and the limit")
  func tooMany() throws {
    let names = (0..<2_500).map { "a-name-of-some-length-\($0).example" }
    let failure = #expect(throws: TLSFailure.self) { try Self.limited(names) }
    #expect(failure?.code == .certificate)
    #expect(failure?.detail.hasPrefix("ca.permit takes ") == true)
    #expect(failure?.detail.hasSuffix("at most 32768 are allowed") == true)
    let many = try Self.limited(Array(names.prefix(680)))
    #expect(many.permits(host(names[679])) && !many.permits(host(names[680])))
    #expect(many.certificatePEM.count < 64 << 10, "else it is not read again")
  }

  @Test("`*.miui.com` permits miui.com and all below, and no address")
  func meaning() throws {
    let authority = try Self.limited(["*.miui.com"])
    let permitted = Self.hosts.filter { authority.permits(host($0)) }
    #expect(
      permitted == [
        "miui.com", "www.miui.com", "a.b.miui.com", "tidewaiter.internal",
        "check.tidewaiter.internal", "under_score.miui.com", "xn--bcher-kva.miui.com",
      ]
    )
    let text = authority.permittedNames?.map(\.description)
    #expect(text == ["miui.com", "tidewaiter.internal"])
    #expect(authority.publicPart.isLimited(to: [.domain(try #require(Hostname("miui.com")))]))
    #expect(!authority.publicPart.isLimited(to: []))
  }

  @Test("The constraints are critical, and the CA still verifies strictly as its own root")
  func profile() throws {
    let authority = try Self.limited(["*.miui.com", "192.0.2.0/24"])
    let handle = unsafe authority.certificate.handle
    let index = unsafe X509_get_ext_by_NID(handle, NID_name_constraints, -1)
    unsafe #expect(X509_EXTENSION_get_critical(X509_get_ext(handle, index)) == 1)
    let leaf = try LeafMinter(authority: authority, capacity: 1)
      .leaf(for: host("www.miui.com"), at: now)
    #expect(verifiesStrictly(leaf, for: host("www.miui.com"), under: authority))
    let pair = try SessionPair(
      leaf: leaf,
      trusting: authority.certificatePEM,
      name: "www.miui.com"
    ).run()
    #expect(pair.isEstablished)
  }

  @Test("A CA without limits permits everything, and says that it has none")
  func unlimited() throws {
    let authority = try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: now)
    for text in Self.hosts { #expect(authority.permits(host(text))) }
    #expect(authority.permittedNames == nil)
    #expect(authority.publicPart.isLimited(to: []))
    #expect(!authority.publicPart.isLimited(to: [.domain(try #require(Hostname("a.example")))]))
    unsafe #expect(
      X509_get_ext_by_NID(authority.certificate.handle, NID_name_constraints, -1) == -1
    )
  }

  @Test("No leaf is minted for a name that the CA may not vouch for")
  func minter() throws {
    let authority = try Self.limited(["*.miui.com"])
    let minter = try LeafMinter(authority: authority, capacity: 4)
    let failure = #expect(throws: TLSFailure.self) {
      try minter.leaf(for: host("other.example"), at: now)
    }
    #expect(failure?.code == .certificate)
    #expect(minter.mintedCount == 0)
  }

  @Test("An operator's CA is taken at its word: exclusions, dots, upper case, the CAs above it")
  func brought() throws {
    func names(_ tag: UInt8, _ list: [String]) -> [UInt8] {
      CertificateExtension.element(
        tag,
        list.flatMap {
          CertificateExtension.element(0x30, CertificateExtension.element(0x82, Array($0.utf8)))
        }
      )
    }
    func constraints(_ parts: [UInt8]) -> [UInt8] { CertificateExtension.element(0x30, parts) }
    for value in [
      constraints(names(0xA0, [".miui.com"])), constraints(names(0xA1, ["miui.com"])),
      constraints(names(0xA0, ["MIUI.com"])),
      constraints(names(0xA0, ["com"]) + names(0xA1, ["b.miui.com", "xmiui.com"])),
      constraints(names(0xA0, [""])),
    ] {
      let authority = try Self.brought(value)
      for text in Self.hosts {
        #expect(
          try self.verifies(host(text), under: authority) == authority.permits(host(text)),
          "\(value) \(text)"
        )
      }
    }
    let upper = try TestIdentity.authority(
      "organisation",
      extensions: [
        CertificateExtension(
          kind: NID_name_constraints,
          isCritical: true,
          value: constraints(names(0xA0, ["example"]))
        )
      ]
    )
    let own = try TestIdentity.authority("audit", issuer: upper)
    let authority = try CertificateAuthority(
      certificatePEM: own.pem + upper.pem,
      keyPEM: try own.key.pem()
    )
    #expect(authority.permits(host("a.example")))
    #expect(!authority.permits(host("miui.com")))
  }

  @Test("Constraints that cannot be read make a CA that cannot be used")
  func broken() throws {
    let failure = #expect(throws: TLSFailure.self) { try Self.brought([0x30, 0x05, 0xA0]) }
    #expect(failure?.code == .certificate)
    // A minimum of one.
    let minimum: [UInt8] = [
      0x30, 0x0B, 0xA0, 0x09, 0x30, 0x07, 0x82, 0x02, 0x61, 0x62, 0x80, 0x01, 1,
    ]
    #expect(throws: TLSFailure.self) { try Self.brought(minimum) }
    #expect(leftOverError == 0)
  }

  @Test("What can be permitted: names, patterns below a name, addresses and blocks; not everything")
  func words() {
    #expect(PermittedName("*.MIUI.com")?.description == "miui.com")
    #expect(PermittedName("192.0.2.7")?.description == "192.0.2.7/32")
    for text in ["*", "", "a b", "*.", "a*.example", "192.0.2.0/33"] {
      #expect(PermittedName(text) == nil, "\(text)")
    }
  }
}
