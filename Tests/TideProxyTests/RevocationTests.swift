import Synchronization
import Testing
import TideCore

@testable import TideProxy
@testable import TideTLS

private let request = "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/// Keeps answers in memory, and what it was asked for.
private final class MemoryCache: RevocationCache {
  let asked = Mutex<[String]>([])

  func answer(named name: String) -> Bytes? {
    self.asked.withLock { $0.append(name) }
    return nil
  }

  func keep(_ answer: Bytes, named name: String, until: WallTime) {}
}

@Suite("Looking revocation up before anything is asked of the server")
struct RevocationTests {
  /// A leaf of the servers' CA that names an OCSP responder (RFC 5280 §4.2.2.1).
  private static func leaf() throws -> Leaf {
    let authority = try World.originCA.get()
    let key = try PrivateKey.generate(.p256)
    let url = Array("http://ocsp.example/answers".utf8)
    let location = CertificateExtension.element(0x86, url)
    let method: [UInt8] = [0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01]
    let description = CertificateExtension.element(0x30, method + location)
    let draft = CertificateDraft(
      subject: .entries([]),
      notBefore: World.wall.advanced(bySeconds: -60),
      notAfter: World.wall.advanced(bySeconds: World.day),
      extensions: [
        .endEntity, .digitalSignature, .serverAuthentication,
        .host(World.host("api.example"), isCritical: true),
        .subjectKey(CertificateAuthority.keyIdentifier(of: key)),
        .authorityKey(authority.keyIdentifier),
        CertificateExtension(
          kind: 177,  // authorityInfoAccess
          isCritical: false,
          value: CertificateExtension.element(0x30, description)
        ),
      ]
    )
    let certificate = try draft.signed(for: key, by: authority.certificate, with: authority.key)
    return Leaf(host: World.host("api.example"), certificate: certificate, key: key, chain: [])
  }

  /// A connection whose server has shown its certificate, and whose device waits.
  private func open(
    _ cut: Cut = .whole,
    revocation: RevocationChecking = .fetch,
    cache: MemoryCache? = nil
  ) throws -> Playbook {
    var tls = PlayTLS()
    tls.revocation = revocation
    tls.revocations = cache
    let book = try Playbook(cut, tls: tls)
    book.device("CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example", showing: Self.leaf())
    book.skipGot()
    try book.deviceHandshake("api.example")
    return book
  }

  private func expectExchange(_ book: Playbook) {
    book.device(request)
    #expect(book.serverGot() == request)
    book.server(ok)
    #expect(book.deviceGot().contains("200 OK"))
  }

  @Test("The responder is asked once, and the device waits for it", arguments: Cut.allCases)
  func asked(cut: Cut) throws {
    let cache = MemoryCache()
    let book = try self.open(cut, cache: cache)
    let (_, question) = try #require(book.fetches.first)
    #expect(book.fetches.count == 1)
    #expect(
      question.text.hasPrefix("POST http://ocsp.example/answers HTTP/1.1\r\nHost: ocsp.example\r\n")
    )
    #expect(question.text.contains("Connection: close\r\n"))
    #expect(cache.asked.withLock { $0.count } == 1)
    #expect(book.deviceTLS?.isEstablished == false)
    #expect(book.isUpstreamPaused)
  }

  @Test("Nothing is asked unless fetching is configured")
  func staple() throws {
    let book = try self.open(revocation: .staple)
    #expect(book.fetches.isEmpty)
    #expect(book.deviceTLS?.isEstablished == true)
  }

  @Test(
    "No answer, an answer of no use, an error: the flow goes on, and what is not known is recorded",
    arguments: Cut.allCases,
    [
      nil, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "no HTTP",
      "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234",
    ]
  )
  func soft(cut: Cut, response: String?) throws {
    let book = try self.open(cut)
    let (id, _) = try #require(book.fetches.first)
    let failure = FlowFailure(.connectionRefused, origin: .upstream, detail: "refused")
    book.give(.fetched(id, response.map { .success(Bytes($0)) } ?? .failure(failure)))
    #expect(book.deviceTLS?.isEstablished == true)
    let server = try #require(book.handshakes.first)
    #expect(server.peer?.verification == "ok")
    #expect(server.peer?.revocation?.status == .unknown)
    #expect(server.peer?.revocation?.detail.isEmpty == false)
    self.expectExchange(book)
  }

  @Test("An answer that does not come in time is waited for no longer, and ignored when it comes")
  func late() throws {
    let book = try self.open()
    let (id, _) = try #require(book.fetches.first)
    book.tick(afterSeconds: 4)
    #expect(book.deviceTLS?.isEstablished == false)
    book.tick(afterSeconds: 2)
    #expect(book.deviceTLS?.isEstablished == true)
    let failure = FlowFailure(.connectTimeout, origin: .upstream, detail: "late")
    book.give(.fetched(id, .failure(failure)))
    book.give(.fetched(FetchID(77), .failure(failure)))
    self.expectExchange(book)
  }

  @Test("Either peer may leave meanwhile, and so may the proxy", arguments: 0..<3)
  func left(which: Int) throws {
    let book = try self.open()
    switch which {
    case 0: book.deviceCloses(.reset)
    case 1: book.serverCloses(.reset)
    default:
      book.give(.shutdown)
      book.give(.shutdown)
    }
    #expect(book.flows.count == 1)
    // What the server has shown is kept all the same.
    #expect(book.handshakes.map { $0.peer?.verification } == ["ok"])
    book.expectCleanEnd()
  }
}
