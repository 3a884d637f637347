import Foundation
import Testing
import TideCore
import TideCrypto

@testable import TideEvidence

@Suite struct HandshakeEvidenceTests {
  private let cases = CasesFolder()

  private var upstream: HandshakeFacts {
    var facts = HandshakeFacts(
      leg: "upstream",
      version: "TLSv1.3",
      cipher: "TLS_AES_128_GCM_SHA256",
      applicationProtocol: "h2"
    )
    facts.group = "X25519"
    facts.fingerprint = "t13d0509h2_1a2b3c4d5e6f_0123456789ab"
    var peer = HandshakeFacts.Peer()
    peer.chain = ["leaf certificate", "issuer certificate"]
    peer.verification = "ok"
    peer.revocation = .init(status: .good, sources: ["staple", "crl"], detail: "until tomorrow")
    peer.timestamps = [
      .init(log: Bytes([0xA1, 0x0F]), time: Play.time(0), source: "certificate"),
      .init(log: Bytes([0xB2]), time: Play.time(1), source: "tls"),
    ]
    peer.anchor = "CN=Root of Example"
    peer.isPublicAnchor = true
    peer.wantsClientCertificate = true
    facts.peer = peer
    return facts
  }

  private var downstream: HandshakeFacts {
    var facts = HandshakeFacts(
      leg: "downstream",
      version: "TLSv1.2",
      cipher: "ECDHE-ECDSA-AES128-GCM-SHA256",
      applicationProtocol: nil
    )
    facts.isResumed = true
    return facts
  }

  private func record(_ handshakes: [HandshakeFacts]) throws -> String {
    var events = try Play.exchange()
    let index = try #require(
      events.firstIndex { if case .handshake = $0 { true } else { false } }
    )
    let hello = HelloFacts(
      serverName: nil,
      applicationProtocols: [],
      versions: [0x0304],
      fingerprint: "t13i1516h1_8daaf6152771_02713d6af862",
      raw: Bytes([0x16])
    )
    events.replaceSubrange(
      index - 1...index,
      with: [.hello(ConnectionID(1), hello, time: Play.time(2))]
        + handshakes.map { .handshake(ConnectionID(1), $0, time: Play.time(3)) }
    )
    return try self.cases.record(events)
  }

  private func text(_ object: [String: Any]) throws -> String {
    var object = object
    for key in ["seq", "time", "type", "prev", "hash"] { object[key] = nil }
    let data = try JSONSerialization.data(
      withJSONObject: object,
      options: [.sortedKeys, .withoutEscapingSlashes]
    )
    return String(decoding: data, as: UTF8.self)
  }

  @Test("A handshake's line has what the server showed of itself, certificates by their digests")
  func lines() throws {
    let path = try self.record([self.upstream, self.downstream])
    let lines = try logObjects(path)
    let handshakes = lines.filter { $0["type"] as? String == "handshake" }
    let chain = ["leaf certificate", "issuer certificate"].map { (text: Bytes) in
      Hex.encode(Digest.sha256.hash(text))
    }
    #expect(
      try self.text(handshakes[0])
        == #"{"alpn":"h2","anchor":"CN=Root of Example","chain":["\#(chain[0])","\#(chain[1])"],"#
        + #""cipher":"TLS_AES_128_GCM_SHA256","client_certificate":"requested","connection":"c-000001","#
        + #""group":"X25519","ja4":"t13d0509h2_1a2b3c4d5e6f_0123456789ab","leg":"upstream","public_anchor":true,"#
        + #""resumed":false,"revocation":{"detail":"until tomorrow","sources":["staple","crl"],"status":"good"},"#
        + #""timestamps":[{"log":"a10f","source":"certificate","time":"\#(Play.time(0).rfc3339)"},"#
        + #"{"log":"b2","source":"tls","time":"\#(Play.time(1).rfc3339)"}],"verification":"ok","version":"TLSv1.3"}"#
    )
    #expect(
      try self.text(handshakes[1])
        == #"{"alpn":null,"anchor":null,"chain":[],"cipher":"ECDHE-ECDSA-AES128-GCM-SHA256","#
        + #""client_certificate":null,"connection":"c-000001","group":null,"ja4":null,"leg":"downstream","#
        + #""public_anchor":null,"resumed":true,"revocation":null,"timestamps":[],"verification":null,"#
        + #""version":"TLSv1.2"}"#
    )
    let hello = try #require(lines.first { $0["type"] as? String == "hello" })
    #expect(hello["ja4"] as? String == "t13i1516h1_8daaf6152771_02713d6af862")
    #expect(try CaseVerifier.verify(path).outcome == .intact)
  }

  @Test("A reader of the case gets the handshakes back as they were told")
  func reading() throws {
    let detail = try CaseReader(try self.record([self.upstream, self.downstream])).flow(FlowID(1))
    #expect(detail.fingerprint == "t13i1516h1_8daaf6152771_02713d6af862")
    try #require(detail.handshakes.count == 2)
    let read = detail.handshakes[0]
    #expect(read.chain.count == 2)
    #expect(read.facts.group == "X25519" && read.facts.applicationProtocol == "h2")
    #expect(read.facts.fingerprint == self.upstream.fingerprint)
    let (peer, told) = (try #require(read.facts.peer), try #require(self.upstream.peer))
    #expect(peer.verification == "ok" && peer.anchor == told.anchor)
    #expect(peer.revocation == told.revocation && peer.timestamps == told.timestamps)
    #expect(peer.isPublicAnchor == true)
    #expect(peer.wantsClientCertificate && !peer.gotClientCertificate)
    #expect(detail.handshakes[1].facts.peer == nil && detail.handshakes[1].facts.isResumed)
    #expect(String(decoding: detail.json, as: UTF8.self).contains(#""group":"X25519""#))
  }

  @Test("A session that is resumed names the certificates again, and stores none twice")
  func resumed() throws {
    var resumed = self.upstream
    resumed.isResumed = true
    let path = try self.record([self.upstream, resumed, resumed])
    let chains = try CaseReader(path).flow(FlowID(1)).handshakes.map(\.chain)
    #expect(Set(chains).count == 1 && chains.count == 3)
    let bodies = try Folder.files(below: path).filter { $0.path.hasPrefix("bodies/") }
    #expect(bodies.count == 4)  // two certificates, a request and a response
  }

  @Test("A handshake that came to nothing has its peer's chain and says what is not known")
  func failed() throws {
    var facts = HandshakeFacts(leg: "upstream", version: "", cipher: "", applicationProtocol: nil)
    var peer = HandshakeFacts.Peer()
    peer.verification = "self-signed certificate"
    peer.isPublicAnchor = false
    peer.gotClientCertificate = true
    facts.peer = peer
    let read = try CaseReader(try self.record([facts])).flow(FlowID(1)).handshakes
    let found = try #require(read.first?.facts.peer)
    #expect(found.verification == "self-signed certificate" && found.revocation == nil)
    #expect(found.isPublicAnchor == false && found.anchor == nil && found.timestamps.isEmpty)
    #expect(found.wantsClientCertificate && found.gotClientCertificate)
  }

  @Test("Every kind of coverage is counted, with what was said of the first")
  func coverage() throws {
    let kinds = Coverage.allCases
    var events: [FlowEvent] = []
    for (number, kind) in kinds.enumerated() {
      for _ in 0...number % 2 {
        events.append(
          .coverage(ConnectionID(1), nil, kind, detail: "\(number)", time: Play.time(0))
        )
      }
    }
    let counts = try CaseReader(try self.cases.record(events)).coverage()
    #expect(Set(counts.map(\.kind)) == Set(kinds))
    #expect(counts.reduce(0) { $0 + $1.count } == events.count)
  }
}
