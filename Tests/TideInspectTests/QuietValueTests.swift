import Testing
import TideCore

@testable import TideInspect

/// Values that are searched once, because nothing was in them.
@Suite struct QuietValueTests {
  private func key(
    _ value: String,
    named name: String = "x-id",
    _ place: QuietValues.Place = .field,
    _ direction: Direction = .request
  ) -> QuietValues.Key {
    QuietValues.Key(place: place, direction: direction, name: Bytes(name), value: Bytes(value))
  }

  /// A macro takes no mutating call.
  private func knows(_ quiet: inout QuietValues, _ key: QuietValues.Key) -> Bool {
    quiet.contains(key)
  }

  @Test("A value is known again by its bytes, its name, its place and its way, and by nothing less")
  func known() {
    var quiet = QuietValues()
    #expect(!self.knows(&quiet, self.key("a value of some length")))
    quiet.insert(self.key("a value of some length"))
    #expect(self.knows(&quiet, self.key("a value of some length")))
    #expect(!self.knows(&quiet, self.key("a value of some lengtH")))
    #expect(!self.knows(&quiet, self.key("A value of some length")))
    #expect(!self.knows(&quiet, self.key("a value of some length ")))
    #expect(!self.knows(&quiet, self.key("a value of some length", named: "X-Id")))
    #expect(!self.knows(&quiet, self.key("a value of some length", .trailer)))
    #expect(!self.knows(&quiet, self.key("a value of some length", .field, .response)))
    // The same bytes in all, cut elsewhere.
    #expect(!self.knows(&quiet, self.key(" value of some length", named: "x-ida")))
  }

  @Test("Entries and bytes are bounded, whatever comes")
  func bounded() {
    var quiet = QuietValues()
    let long = String(repeating: "v", count: QuietValues.longest - 12)
    for index in 0..<5_000 {
      quiet.insert(self.key(long, named: "n\(index)"))
      #expect(quiet.byteCount <= QuietValues.mostBytes)
    }
    #expect(self.knows(&quiet, self.key(long, named: "n4999")))
    #expect(!self.knows(&quiet, self.key(long, named: "n0")))
    quiet.insert(self.key(long + long))
    #expect(!self.knows(&quiet, self.key(long + long)), "too long to be kept")
  }

  @Test("What is of use stays while values that come once pass by")
  func ofUse() {
    var quiet = QuietValues()
    quiet.insert(self.key("Mozilla/5.0", named: "user-agent"))
    for index in 0..<20_000 {
      #expect(self.knows(&quiet, self.key("Mozilla/5.0", named: "user-agent")))
      quiet.insert(self.key("\(index)", named: "x-once"))
    }
  }

  @Test("What holds a value is found each time; what does not is known again")
  func heads() throws {
    let context = try makeContext()
    let quiet = request(
      "/v1?n=1",
      [("User-Agent", "Mozilla/5.0"), ("X-Trace", "5899f4a9e12db43d")]
    )
    let telling = request("/v1?n=1", [("User-Agent", "Mozilla/5.0"), ("X-Trace", Phone.imei)])
    for _ in 0..<3 {
      #expect(context.inspect(head: quiet, direction: .request).isEmpty)
      #expect(context.inspect(head: telling, direction: .request).map(\.kind) == [.imei])
    }
    let kept = context.quiet.byteCount
    #expect(kept > 0)
    _ = context.inspect(head: quiet, direction: .request)
    #expect(context.quiet.byteCount == kept)
  }

  @Test("A target is searched unless path and query are known, and who an HTTP/2 request is for")
  func targets() throws {
    let context = try makeContext()
    func kinds(_ target: String, authority: String? = nil) -> [FindingKind] {
      let head = MessageHead(
        start: .request(method: "GET", target: Bytes(target)),
        fields: HeaderFields(),
        pseudo: authority.map { PseudoFields(scheme: "https", authority: Bytes($0)) }
      )
      return context.inspect(head: head, direction: .request).map(\.kind)
    }
    let known = ["/v1", "/v1?n=1", "/v1?", "/?n=1", "*", ""]
    for _ in 0..<2 { for target in known { #expect(kinds(target).isEmpty) } }
    #expect(known.allSatisfy { context.quiet.isKnown(target: $0) })
    #expect(!context.quiet.isKnown(target: "/v1?n=2") && !context.quiet.isKnown(target: "/v2?n=1"))
    // A path and a query are not each other's.
    #expect(!context.quiet.isKnown(target: "n=1?/v1"))
    for _ in 0..<3 {
      #expect(kinds("/v1?n=\(Phone.imei)") == [.imei])
      #expect(kinds("/\(Phone.imei)?n=1") == [.imei])
      #expect(kinds("/v1?n=1", authority: "\(Phone.imei).collect.example") == [.imei])
      #expect(kinds("/v1?n=1", authority: "collect.example").isEmpty)
      #expect(kinds("/v1?n=1").isEmpty)
    }
  }

  @Test("The same body is found each time, under whatever type it comes")
  func bodies() throws {
    let context = try makeContext()
    let telling = Bytes("{\"id\":\"\(Phone.imei)\"}")
    let form = Bytes("aW1laQ==&x=1")
    for type in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
      for _ in 0..<3 {
        #expect(context.findings([telling], [("Content-Type", type)]).map(\.kind) == [.imei])
        #expect(context.findings([form], [("Content-Type", type)]).isEmpty)
      }
    }
  }

  @Test("A password for the proxy is kept nowhere")
  func password() throws {
    let context = try makeContext()
    let head = MessageHead(
      start: .request(method: "GET", target: ""),
      fields: HeaderFields([("Proxy-Authorization", "Basic dXNlcjpwYXNzd29yZA==")])
    )
    #expect(context.inspect(head: head, direction: .request).isEmpty)
    #expect(context.quiet.byteCount == 0)
  }

  @Test("A value in which a limit was met is met with it again")
  func limits() throws {
    var limits = Limits()
    limits.decodedDepth = 1
    let context = try makeContext(limits: limits)
    let inner = Phone.base64(
      "{\"a\":\"\(Phone.base64("{\"b\":\"\(Phone.base64("some text"))\"}"))\"}"
    )
    let head = request("/", [("X-Data", inner)])
    _ = context.inspect(head: head, direction: .request)
    let first = context.limitMetInHead
    #expect(first != nil)
    _ = context.inspect(head: head, direction: .request)
    #expect(context.limitMetInHead == first)
  }
}

extension QuietValues {
  fileprivate func isKnown(target: String) -> Bool {
    var copy = self
    return copy.contains(target: Bytes(target), .request)
  }
}
