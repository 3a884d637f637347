import COpenSSL
import Testing
import TideCore

@testable import TideTLS

/// Verifies as the strictest clients do (Python 3.13 and later).
func verifiesStrictly(_ leaf: Leaf, for host: Host, under authority: CertificateAuthority) -> Bool {
  let store = unsafe X509_STORE_new()
  defer { unsafe X509_STORE_free(store) }
  unsafe X509_STORE_add_cert(store, authority.certificate.handle)
  let context = unsafe X509_STORE_CTX_new()
  defer { unsafe X509_STORE_CTX_free(context) }
  unsafe X509_STORE_CTX_init(context, store, leaf.certificate.handle, nil)
  unsafe X509_STORE_CTX_set_default(context, "ssl_server")
  let parameters = unsafe X509_STORE_CTX_get0_param(context)
  unsafe X509_VERIFY_PARAM_set_flags(
    parameters,
    UInt(X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE)
  )
  unsafe X509_VERIFY_PARAM_set_auth_level(parameters, 2)
  unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
  switch host {
  case .name(let name):
    unsafe X509_VERIFY_PARAM_set1_host(parameters, name.text, 0)
  case .address(let address):
    unsafe X509_VERIFY_PARAM_set1_ip(parameters, address.octets, address.octets.count)
  }
  return unsafe X509_verify_cert(context) == 1
}

/// The requirements on leaves and on the CA that minting has to meet, one test for each.
@Suite struct LeafRuleTests {
  static let hosts = [
    "www.example", "under_score.example", "xn--bcher-kva.example", "192.0.2.1", "2001:db8::1",
    "a", String(repeating: "l", count: 63) + ".example",
    String(repeating: "long.", count: 20) + "e",
    String(repeating: "a.", count: 121) + "example.xy", "1.2.3.4.example", "a--b.example",
  ]

  let start = now
  let authority: CertificateAuthority
  let minter: LeafMinter

  init() throws {
    self.authority = try .generate(key: .p256, lifetimeSeconds: 3_650 * day, at: now)
    self.minter = try LeafMinter(authority: self.authority, capacity: 32)
  }

  private func value(_ kind: Int32, of certificate: X509Certificate) -> [UInt8]? {
    let handle = unsafe certificate.handle
    guard let part = unsafe X509_get_ext(handle, X509_get_ext_by_NID(handle, kind, -1)) else {
      return nil
    }
    let text = unsafe X509_EXTENSION_get_data(part)
    return unsafe Array(
      UnsafeBufferPointer(start: ASN1_STRING_get0_data(text), count: Int(ASN1_STRING_length(text)))
    )
  }

  @Test(
    "TLS-39: a leaf lives for less than 47 days, whatever the CA's life"
  )
  func lifetime() throws {
    let leaf = try self.minter.leaf(for: host("www.example"), at: self.start)
    #expect(leaf.notAfter.seconds - leaf.notBefore.seconds < 47 * day)
  }

  @Test("TLS-40: a leaf begins an hour back, and ends no later than the CA")
  func validity() throws {
    let leaf = try self.minter.leaf(for: host("www.example"), at: self.start)
    #expect(leaf.notBefore <= self.start.advanced(bySeconds: -3_600))
    #expect(leaf.notBefore >= self.authority.notBefore)
    let late = self.authority.notAfter.advanced(bySeconds: -60)
    let last = try LeafMinter(authority: self.authority, capacity: 1)
      .leaf(for: host("www.example"), at: late)
    #expect(last.notAfter == self.authority.notAfter)
  }

  @Test(
    "TLS-41: the SAN is the host that was asked for, and no name beyond it",
    arguments: hosts
  )
  func name(text: String) throws {
    let leaf = try self.minter.leaf(for: host(text), at: self.start)
    let san = try #require(self.value(NID_subject_alt_name, of: leaf.certificate))
    let name: [UInt8] =
      switch host(text) {
      case .name(let name): CertificateExtension.element(0x82, Array(name.text.utf8))
      case .address(let address): CertificateExtension.element(0x87, address.octets)
      }
    #expect(san == CertificateExtension.element(0x30, name))
    let isLong = text.utf8.count > 64
    #expect(leaf.certificate.subject == (isLong ? "" : "CN=\(text)"))
    #expect(verifiesStrictly(leaf, for: host(text), under: self.authority))
    for other in ["example", "sub." + text, "other.test"] where Host(other) != nil {
      #expect(!verifiesStrictly(leaf, for: host(other), under: self.authority), "\(other)")
    }
    #expect(leftOverError == 0)
  }

  @Test(
    "TLS-41: a name that looks like a wildcard cannot be asked for at all",
    arguments: [
      "*.example", "*", "w*.example", "bücher.example", "a\0.example",
    ]
  )
  func wildcard(text: String) { #expect(Host(text) == nil) }

  @Test(
    "TLS-42: EKU serverAuth alone, KU digitalSignature, CA:FALSE, AKI is the CA's SKI",
    arguments: KeyKind.allCases
  )
  func profile(kind: KeyKind) throws {
    let authority = try CertificateAuthority.generate(
      key: kind,
      lifetimeSeconds: 90 * day,
      at: self.start
    )
    let leaf = try LeafMinter(authority: authority, capacity: 1)
      .leaf(for: host("www.example"), at: self.start)
    let serverAuth: [UInt8] = [0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]
    #expect(
      self.value(NID_ext_key_usage, of: leaf.certificate) == [0x30, 0x0A, 0x06, 0x08] + serverAuth
    )
    #expect(self.value(NID_key_usage, of: leaf.certificate) == [0x03, 0x02, 0x07, 0x80])
    #expect(self.value(NID_basic_constraints, of: leaf.certificate) == [0x30, 0x00])
    let identifier = try #require(
      self.value(NID_subject_key_identifier, of: authority.certificate)
    ).dropFirst(2)
    #expect(
      self.value(NID_authority_key_identifier, of: leaf.certificate)
        == CertificateExtension.element(
          0x30,
          CertificateExtension.element(0x80, Array(identifier))
        )
    )
    #expect(verifiesStrictly(leaf, for: host("www.example"), under: authority))
  }

  @Test("TLS-43: P-256 and SHA-256, whatever the CA's key", arguments: KeyKind.allCases)
  func strength(kind: KeyKind) throws {
    let authority = try CertificateAuthority.generate(
      key: kind,
      lifetimeSeconds: 90 * day,
      at: self.start
    )
    let leaf = try LeafMinter(authority: authority, capacity: 1)
      .leaf(for: host("www.example"), at: self.start)
    #expect(leaf.key.summary == "EC 256")
    let signature = unsafe X509_get_signature_nid(leaf.certificate.handle)
    #expect(signature == (kind == .p256 ? NID_ecdsa_with_SHA256 : NID_sha256WithRSAEncryption))
  }

  @Test("TLS-44: the leaf's key is neither the CA's nor another loop's")
  func keys() throws {
    let leaf = try self.minter.leaf(for: host("www.example"), at: self.start)
    let other = try LeafMinter(authority: self.authority, capacity: 1)
      .leaf(for: host("www.example"), at: self.start)
    unsafe #expect(EVP_PKEY_eq(leaf.key.handle, self.authority.key.handle) == 0)
    unsafe #expect(EVP_PKEY_eq(leaf.key.handle, other.key.handle) == 0)
  }

  @Test(
    "TLS-45: serials are positive, of 64 random bits at least, and never repeat, nor anew"
  )
  func serials() throws {
    var seen: Set<[UInt8]> = []
    for _ in 0..<4 {
      let minter = try LeafMinter(authority: self.authority, capacity: 64)
      for index in 0..<32 {
        let leaf = try minter.leaf(for: host("h\(index).example"), at: self.start)
        let serial = unsafe X509_get0_serialNumber(leaf.certificate.handle)
        let bytes = unsafe Array(
          UnsafeBufferPointer(
            start: ASN1_STRING_get0_data(serial),
            count: Int(ASN1_STRING_length(serial))
          )
        )
        unsafe #expect(ASN1_STRING_type(serial) == V_ASN1_INTEGER, "positive")
        #expect((9...20).contains(bytes.count))
        #expect(seen.insert(bytes).inserted)
      }
    }
  }

  @Test("TLS-46: a leaf has no must-staple, no AIA, no CDP, no SCT")
  func nothingElse() throws {
    let leaf = try self.minter.leaf(for: host("www.example"), at: self.start)
    for kind in [NID_tlsfeature, NID_info_access, NID_crl_distribution_points, NID_ct_precert_scts]
    {
      #expect(self.value(kind, of: leaf.certificate) == nil)
    }
    unsafe #expect(X509_get_ext_count(leaf.certificate.handle) == 6)
  }

  @Test(
    "TLS-49: the CA signs leaves for servers alone and lives ten years at most",
    arguments: KeyKind.allCases
  )
  func authorityProfile(kind: KeyKind) throws {
    let authority = try CertificateAuthority.generate(
      key: kind,
      lifetimeSeconds: 3_650 * day,
      at: self.start
    )
    let certificate = authority.certificate
    #expect(
      self.value(NID_basic_constraints, of: certificate) == [0x30, 0x06, 1, 1, 0xFF, 2, 1, 0]
    )
    #expect(self.value(NID_key_usage, of: certificate) == [0x03, 0x02, 0x01, 0x06])
    #expect(self.value(NID_ext_key_usage, of: certificate)?.count == 12)
    #expect(self.value(NID_subject_key_identifier, of: certificate)?.count == 22)
    #expect(authority.notAfter.seconds - authority.notBefore.seconds <= 3_653 * day)
    #expect(authority.key.isStrong)
    let below = try TestIdentity.authority(
      "below",
      issuer: TestIdentity(certificate: certificate, key: authority.key)
    )
    let chain = try TestIdentity.server([host("server.example")], issuer: below)
    let pair = try SessionPair(
      leaf: chain.leaf(chain: [below]),
      trusting: authority.certificatePEM
    ).run()
    #expect(!pair.isEstablished, "pathlen 0: no CA below")
  }

  @Test("TLS-47, TLS-50: each CA has a key and a name of its own")
  func installs() throws {
    let others = try (0..<4).map { _ in
      try CertificateAuthority.generate(key: .p256, lifetimeSeconds: day, at: self.start)
    }
    #expect(Set(others.map(\.subject)).count == 4)
    #expect(Set(others.map(\.publicPart.keySHA256)).count == 4)
  }
}
