import Testing
import TideCore
import TidePolicy
import TideTLS

@testable import TideProxy

private let connect = "CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

@Suite struct HelloTests {
  private func open(_ book: Playbook) throws {
    book.device(connect)
    book.resolve("192.0.2.7")
    try book.connect(as: "api.example")
    book.skipGot()
  }

  @Test(
    "A hello that is malformed or too large is closed and recorded, and the server hears nothing",
    arguments: Cut.allCases
  )
  func badHello(cut: Cut) throws {
    var limits = Limits()
    limits.helloBytes = 2_048
    for bytes: [UInt8] in [
      [0x16, 3, 1, 0, 4, 2, 0, 0, 0], [0x16, 3, 1, 0, 0], [0x16, 3, 1, 0x20, 0],
      [0x16, 3, 1, 0, 4, 1, 0, 0xFF, 0xFF],
    ] {
      let book = try Playbook(cut, limits: limits)
      try self.open(book)
      book.deviceRaw(Bytes(bytes))
      #expect(book.downstreamClose == .afterFlush, "\(bytes)")
      #expect(book.upstreamByteCount == 0)
      #expect(try book.flow().failure == .badHello)
      book.expectCleanEnd()
    }
  }

  @Test("A server name that is no host name gets unrecognized_name")
  func badServerName() throws {
    let book = try Playbook()
    try self.open(book)
    var bytes = try hello(for: "api.example").array
    let name = Array("api.example".utf8)
    let start = try #require(bytes.firstRange(of: name)?.lowerBound)
    bytes[start + 3] = 0x21
    book.deviceRaw(Bytes(bytes))
    let got = book.deviceGot()
    #expect(Array(got.utf8).last == TLSAlert.unrecognizedName)
    #expect(book.upstreamByteCount == 0)
    #expect(try book.flow().failure == .badHello)
    book.expectCleanEnd()
  }

  @Test(
    "A server that talks HTTP before it is asked is cut off, once the device's side is ready to be told"
  )
  func talkative() throws {
    let book = try Playbook()
    try self.open(book)
    try book.deviceHandshake("api.example")
    #expect(book.serverTLS?.isEstablished == true)
    book.server(ok)
    #expect(book.upstreamClose == .abort)
    #expect(book.downstreamClose == .writing)
    #expect(!book.deviceGot().contains("200 OK"))
    book.expectCleanEnd()
  }

  @Test("What a server says during the device's handshake waits, and it is read no further")
  func early() throws {
    let book = try Playbook()
    try self.open(book)
    book.deviceRaw(try hello(for: "api.example"))
    #expect(book.serverTLS?.isEstablished == true)
    book.server(ok)
    #expect(book.isUpstreamPaused)
    #expect(book.upstreamClose == nil)
    book.deviceCloses(.reset)
    #expect(book.isFinished)
    #expect(!book.deviceGot().contains("200 OK"))
  }

  @Test("close_notify between exchanges ends the connection without a failure")
  func closeNotify() throws {
    let book = try Playbook()
    try book.tunnel()
    book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    book.deviceEndsTLS()
    #expect(book.isFinished)
    #expect(book.closures == [nil])
    book.expectCleanEnd()
  }

  @Test(
    "A device that ends its side after a whole request still gets its answer",
    arguments: Cut.allCases
  )
  func halfClose(cut: Cut) throws {
    for isSecure in [true, false] {
      let book = try Playbook(cut)
      if isSecure {
        try book.tunnel()
        book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
        book.deviceEndsTLS()
      } else {
        book.device("GET http://api.example/ HTTP/1.1\r\nHost: api.example\r\n\r\n")
        try book.way()
      }
      if !isSecure { book.deviceCloses(.end) }
      #expect(!book.isFinished)
      book.server(ok)
      #expect(book.deviceGot().hasSuffix("\r\n\r\nok"))
      #expect(book.isFinished)
      #expect(try book.flow().failure == nil)
      book.expectCleanEnd()
    }
  }

  @Test("Inside TLS a FIN is a device that is gone, whether it said so before or not")
  func goneInTLS() throws {
    for isAnnounced in [true, false] {
      let book = try Playbook()
      try book.tunnel()
      book.device("GET / HTTP/1.1\r\nHost: api.example\r\n\r\n")
      if isAnnounced { book.deviceEndsTLS() }
      book.deviceCloses(.end)
      #expect(book.isFinished)
      #expect(book.upstreamClose == .abort)
      #expect(try book.flow().failure == .truncated)
      book.expectCleanEnd()
    }
  }

  @Test(
    "A pipelined request that the device's end cut in half is recorded as cut",
    arguments: Cut.allCases
  )
  func halfPipelined(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device(
      "GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
        + "POST / HTTP/1.1\r\nHost: api.example\r\nContent-Length: 9\r\n\r\nhalf"
    )
    book.deviceEndsTLS()
    book.server(ok)
    #expect(book.deviceGot() == ok)
    #expect(book.isFinished)
    #expect(book.flows.map { $0.end?.failure?.code } == [nil, .truncated])
    book.expectCleanEnd()
  }

  @Test("A device that ends its side while its CONNECT is on its way is not dialled for")
  func endInTheWay() throws {
    let book = try Playbook()
    book.device(connect)
    book.deviceCloses(.end)
    #expect(book.isFinished)
    book.resolve("192.0.2.7")
    #expect(book.opened.isEmpty)
    book.expectCleanEnd()
  }

  @Test("Ciphertext that was tampered with ends the connection as cut")
  func tampered() throws {
    let book = try Playbook()
    try book.tunnel()
    book.deviceRaw(Bytes([0x17, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32)))
    #expect(book.downstreamClose == .abort)
    #expect(book.closures == [.truncated])
    book.expectCleanEnd()
  }

  @Test(
    "A request without Host gets that of the leaf; OPTIONS * stays what it is",
    arguments: Cut.allCases
  )
  func host(cut: Cut) throws {
    let book = try Playbook(cut)
    try book.tunnel()
    book.device("OPTIONS * HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot() == "OPTIONS * HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    book.skipGot()
    book.device("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(book.serverGot() == "GET /1 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    book.server(ok)
    #expect(book.deviceGot().contains("Connection: keep-alive\r\n"))
    book.device("GET /2 HTTP/1.1\r\nHost: api.example\r\n\r\n")
    #expect(book.serverGot().hasPrefix("GET /2 "))
    book.server(ok)
    book.device("CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n")
    #expect(book.deviceGot().components(of: "400 Bad Request") == 1)
    #expect(book.resolving == nil)
    book.expectCleanEnd()
  }
}
