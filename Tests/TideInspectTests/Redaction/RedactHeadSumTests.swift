import Testing
import TideCoding
import TideCore
import TideCrypto

@testable import TideInspect

/// Sums and signatures in a head over what was changed in its body.
@Suite struct RedactHeadSumTests {
  private static let before = Bytes("{\"imei\":\"490154203237518\"}")
  private static let after = Bytes("{\"imei\":\"470154203237513\"}")
  private static let changed = [Alteration(before: before, after: after)]

  private static func standard(_ digest: Digest, _ bytes: Bytes) -> String {
    Base64.standard.encode(digest.hash(bytes))
  }

  @Test("Fields that standards define for digests of a body are made anew in their own form")
  func standards() {
    func fields(_ bytes: Bytes) -> [(String, String)] {
      let md5 = Self.standard(.md5, bytes)
      let sha = Self.standard(.sha256, bytes)
      let long = Self.standard(.sha512, bytes)
      return [
        ("Content-MD5", md5), ("Digest", "SHA-256=\(sha),MD5=\(md5)"),
        ("Content-Digest", "sha-256=:\(sha):, sha-512=:\(long):"),
        ("Repr-Digest", "sha-256=:\(sha):"),
        ("X-Body-Sha256", ASCII.hex(Digest.sha256.hash(bytes))),
        ("X-CRC", "\(CheckSum.crc32.sum(bytes))"),
        ("X-MD5", ASCII.hex(Digest.md5.hash(bytes)).uppercased()),
      ]
    }
    let kept = [("ETag", ASCII.hex(Digest.md5.hash(Self.before))), ("X-Other", "1408097600")]
    let mended = BodyDigests.mended(
      HeaderFields(fields(Self.before) + kept),
      before: Self.before,
      after: Self.after
    )
    for (index, field) in (fields(Self.after) + kept).enumerated() {
      #expect(mended?.name(at: index).text == field.0)
      #expect(mended?.value(at: index).text == field.1)
    }
    #expect(BodyDigests.mended(HeaderFields(kept), Self.changed) == nil)
  }

  @Test("A sum in the query is made anew, escapes and all")
  func query() {
    func target(_ bytes: Bytes) -> Bytes {
      let sum = Self.standard(.sha1, bytes).replacing("+", with: "%2B").replacing("/", with: "%2F")
        .replacing("=", with: "%3D")
      return Bytes("/up?v=1&crc=\(CheckSum.crc32.sum(bytes))&h=\(sum)&n=5")
    }
    #expect(BodyDigests.mended(target: target(Self.before), Self.changed) == target(Self.after))
    #expect(BodyDigests.mended(target: "/up?v=1&crc=5", Self.changed) == nil)
    #expect(BodyDigests.mended(target: "/up", Self.changed) == nil)
  }

  @Test("A head is fitted to its body, and a signature in it is said to be broken")
  func fitted() {
    let md5 = ASCII.hex(Digest.md5.hash(Self.before))
    let unkeyed = BodyDigests.fit(request("/a?sign=\(md5)", [("X-Sign", md5)]), to: Self.changed)
    let now = ASCII.hex(Digest.md5.hash(Self.after))
    #expect(unkeyed.head?.target.text == "/a?sign=\(now)")
    #expect(unkeyed.head?.fields.first("x-sign")?.text == now)
    #expect(!unkeyed.isSignatureBroken)
    let keyed = ASCII.hex(HMAC.sha256(key: [1], Self.before))
    for head in [
      request("/a?sign=\(keyed)"), request("/a", [("X-Sign", keyed)]),
      request("/a", [("Authorization", "AWS4-HMAC-SHA256 Credential=a, Signature=\(keyed)")]),
      request(
        "/a",
        [("Signature", "sig1=:\(Base64.standard.encode(HMAC.sha256(key: [1], Self.before))):")]
      ),
    ] {
      let outcome = BodyDigests.fit(head, to: Self.changed)
      #expect(outcome.isSignatureBroken)
    }
    for head in [
      request("/a?t=\(keyed)", [("Authorization", "Bearer \(keyed)"), ("Cookie", "sig=\(keyed)")]),
      request("/a?sign=1"),
    ] {
      let outcome = BodyDigests.fit(head, to: Self.changed)
      #expect(outcome.head == nil && !outcome.isSignatureBroken)
    }
    #expect(!BodyDigests.fit(request("/a?sign=\(keyed)"), to: []).isSignatureBroken)
  }

  @Test("The sum of a compressed body is that of what is sent, or of what it holds")
  func compressed() throws {
    let context = try makeContext()
    let packed = Gzip.encode(Self.before, format: .gzip)
    let fields = [
      ("Content-Encoding", "gzip"), ("Content-MD5", Self.standard(.md5, packed)),
      ("X-Plain-MD5", Self.standard(.md5, Self.before)),
    ]
    let head = request("/", fields)
    let result = try #require(
      context.redact(
        body: packed,
        head: head,
        direction: .request,
        findings: context.findings([packed], fields)
      )
    )
    let outcome = BodyDigests.fit(head, to: result.alterations)
    let mended = try #require(outcome.head).fields
    #expect(mended.first("content-md5")?.text == Self.standard(.md5, result.body))
    let limits = DecodingLimits(decodedBytes: 1 << 20, ratio: 100)
    let plain = try Gzip.decode(result.body, format: .gzip, limits: limits)
    #expect(mended.first("x-plain-md5")?.text == Self.standard(.md5, plain))
  }

  @Test("A change in a signed head breaks its signature")
  func signedHead() throws {
    let context = try makeContext()
    let keyed = ASCII.hex(HMAC.sha256(key: [1], Self.before))
    for (head, isBroken) in [
      (request("/a?imei=\(Phone.imei)&sign=\(keyed)"), true),
      (request("/a/\(Phone.imei)", [("X-Sign", keyed)]), true),
      (request("/a", [("X-Sign", keyed), ("X-Id", Phone.imei)]), true),
      (request("/a", [("X-Sign", keyed), ("Cookie", "i=\(Phone.imei)")]), false),
      (request("/a?imei=\(Phone.imei)&v=\(keyed)"), false),
    ] {
      let findings = context.inspect(head: head, direction: .request)
      let result = try #require(
        context.redact(head: head, direction: .request, findings: findings)
      )
      #expect(result.isSignatureBroken == isBroken)
    }
  }
}
