import Testing
import TideCore

@testable import TideInspect

/// Where the device is, in every form that DETECTION.md section 2 names.
@Suite struct PositionTests {
  static let home = (latitude: 25.056367, longitude: 121.520610)

  static let profile = DeviceProfile(
    name: "redmi",
    addresses: [],
    identifiers: [
      DeviceProfile.Identifier(kind: FindingKind("gps"), value: "25.056367,121.520610")
    ]
  )

  static let south = DeviceProfile(
    name: "sul",
    addresses: [],
    identifiers: [
      DeviceProfile.Identifier(kind: FindingKind("gps"), value: "-23.550512,-46.633301")
    ]
  )

  private func lines(_ body: String, _ profile: DeviceProfile = Self.profile) throws -> [String] {
    try makeContext([profile], inspectors: ["position"]).findings(body).map(\.line)
  }

  @Test(
    "A position near the profile's is found in every form",
    arguments: [
      "{\"p\":\"25.056368,121.520608\"}", "{\"p\":\"25.056,121.521\"}",
      "{\"p\":\"121.5206084,25.0563681\"}", "{\"p\":\"25.05637;121.52061\"}",
      "{\"p\":\"25.05637|121.52061\"}", "{\"p\":\"POINT(121.52061 25.05637)\"}",
      "{\"p\":\"geo:25.05637,121.52061;u=12\"}", "{\"p\":\"25.05637N 121.52061E\"}",
      "{\"p\":\"N25.05637, E121.52061\"}", "{\"p\":\"+25.0564+121.5206/\"}",
      "loc=121.520610%2C25.056367&acc=12", "x at 25.05637, 121.52061 now",
      "{\"lat\":25.056367,\"lng\":121.52061}", "{\"lat\":\"25.056367\",\"lng\":\"121.520610\"}",
      "{\"lon\":121.5206,\"lat\":25.0564}", "{\"a\":[121.52061,25.056367]}",
      "{\"lat\":25056367,\"lng\":121520610}", "{\"latE7\":250563670,\"lonE7\":1215206100}",
      "{\"lat\":25.06,\"lng\":121.5206}", "{\"p\":\"016025.121,763650.52\"}",
      "1,4g,1786675381902\n2,sync,25056367,121520610,ok",
      "{\"y\":2505636,\"x\":12152061}", "{\"lat\":25.056367000000001,\"lng\":121.52061000000001}",
      "{\"geo\":\"wsqqt32eg\"}", "{\"geo\":\"WSQQT32\"}", "{\"geo\":\"wsqqt3\"}",
      "{\"p\":\"25°03'22.9\\\"N 121°31'14.2\\\"E\"}",
      "{\"p\":\"N25°03'22.9\\\", E121°31'14.2\\\"\"}",
      "{\"p\":\"25°3.382'N 121°31.237'E\"}", "{\"p\":\"25.05637°N 121.52061°E\"}",
      // GCJ-02, BD-09.
      "{\"p\":\"25.053478,121.525045\"}", "{\"p\":\"25.059497,121.531557\"}",
      "<a><lat>25.056367</lat><lng>121.52061</lng></a>", "lat=25.056367\nlng=121.520610\n",
      "{\"p\":\"d3NxcXQzMmVn\"}", "{\"p\":\"&#119;sqqt32eg\"}",
    ]
  )
  func forms(body: String) throws {
    let lines = try self.lines(body)
    #expect((1...2).contains(lines.count), "\(lines)")
    #expect(lines.allSatisfy { $0.hasPrefix("gps certain body") })
  }

  @Test(
    "South and west of zero too",
    arguments: [
      "{\"lat\":-23.550512,\"lng\":-46.633301}", "{\"p\":\"-23.550512,-46.633301\"}",
      "{\"p\":\"23.550512S,46.633301W\"}", "{\"lat\":-23550512,\"lng\":-46633301}",
      "{\"p\":\"23°33'01.8\\\"S 46°37'59.9\\\"W\"}",
    ]
  )
  func south(body: String) throws {
    #expect(try !self.lines(body, Self.south).isEmpty)
  }

  @Test(
    "What only looks like a position, or is another place, is none",
    arguments: [
      "{\"css\":\"M25.0330 121.5654L25.1 121.6\",\"ratio\":1.517081}",
      "{\"css\":\"M25.0563 121.5206L25.1 121.6\"}", "{\"lat\":25.06,\"lng\":121.52}",
      "{\"lib\":\"25.0563.7924-beta\",\"tile\":\"14/13725/7011\"}",
      "{\"lib\":\"25.056.367\",\"x\":\"121.520.610\"}",
      "{\"lat\":40.6937,\"lon\":-74.0407}", "{\"lat\":25.1563,\"lng\":121.5206}",
      "{\"p\":\"28.05637,117.52061\"}", "{\"lat\":25.05,\"lng\":121.52}", "{\"p\":\"25.1,121.5\"}",
      "{\"lat\":25.056367,\"v\":3}", "{\"price\":25.04,\"ratio\":121.53}",
      "{\"t\":1408192780770,\"u\":250563670}", "{\"geo\":\"wsqq\"}", "{\"geo\":\"wsqqqa\"}",
      "{\"w\":\"wsqqxxxxx\"}", "{\"a\":25.0563671,\"b\":{\"c\":{\"d\":121.52061}}}",
      "{\"p\":\"25°03'22.9\\\"N 119°31'14.2\\\"E\"}", "{\"p\":\"25°C and 121° to go\"}",
    ]
  )
  func negatives(body: String) throws {
    #expect(try self.lines(body).isEmpty)
  }

  @Test("Without a position in the profile, what is called latitude and longitude is likely")
  func named() throws {
    let context = try makeContext([], inspectors: ["position"])
    #expect(
      context.findings("{\"lat\":40.6937,\"lon\":-74.0407}").map(\.line)
        == ["gps likely body $.lat", "gps likely body $.lon"]
    )
    for body in [
      "{\"a\":40.6937,\"b\":-74.0407}", "{\"lat\":40.69,\"lon\":-74.04}",
      "{\"lat\":0.000,\"lon\":0.000}",
      "{\"lat\":40.6937}", "{\"p\":\"40.6937,-74.0407\"}", "{\"lat\":-74.0407,\"lat2\":40.6937}",
    ] {
      #expect(context.findings(body).isEmpty, "\(body)")
    }
  }

  @Test("In a field of its own, in a path and in a query it is found as well")
  func head() throws {
    let context = try makeContext([Self.profile], inspectors: ["position"])
    let head = request(
      "/near/25.05637,121.52061?lat=25.05637&lng=121.52061",
      [("X-Geo", "25.056,121.521"), ("X-Hash", "wsqqt32eg"), ("User-Agent", "x/25.0563.1")]
    )
    let places = Set(
      context.inspect(head: head, direction: .request).map { "\($0.location) \($0.path)" }
    )
    #expect(places.isSuperset(of: ["query lat", "query lng", "header x-geo", "header x-hash"]))
    #expect(places.contains { $0.hasPrefix("path") })
    #expect(!places.contains("header user-agent"))
  }

  @Test("The value is given with six places, whatever the form")
  func value() throws {
    let context = try makeContext([Self.profile], inspectors: ["position"])
    let findings = context.findings("{\"lon\":121.5206,\"lat\":25.0564}")
    #expect(findings.map(\.value.text) == ["25.056400,121.520600", "25.056400,121.520600"])
  }

  @Test(
    "A pseudonym has the same form and length, and is far from every real place",
    arguments: [
      "{\"p\":\"25.056368,121.520608\"}", "{\"lat\":25.056367,\"lng\":121.52061}",
      "{\"lat\":25.056367000000001,\"lng\":121.52061000000001}",
      "{\"latE7\":250563670,\"lonE7\":1215206100}", "{\"geo\":\"wsqqt32eg\"}",
      "{\"p\":\"25°03'22.9\\\"N 121°31'14.2\\\"E\"}", "loc=121.520610%2C25.056367&acc=12",
      "{\"p\":\"25.05637N 121.52061E\"}",
    ]
  )
  func redaction(body: String) throws {
    let context = try makeContext([Self.profile], inspectors: ["position"])
    let head = request("/")
    let findings = context.findings(body)
    let redacted = try #require(
      context.redact(body: Bytes(body), head: head, direction: .request, findings: findings)
    )
    #expect(redacted.body.count == Bytes(body).count)
    #expect(redacted.body != Bytes(body))
    #expect(context.findings([redacted.body]).isEmpty)
    #expect(redacted.changes.allSatisfy { $0.kind.name == "gps" })
  }

  @Test("Lines of the grid keep sign and digits, and stay away from what is real")
  func grid() {
    for (value, isLatitude) in [
      (25.056, true), (-0.02, true), (9.99, true), (10.01, true), (-179.99, false), (100.01, false),
      (99.9, false), (0.01, false),
    ] {
      let line = Position.snapped(value, isLatitude: isLatitude, awayFrom: [value])
      #expect((line - value).magnitude >= 0.03 && (line - value).magnitude < 0.7)
      #expect((line < 0) == (value < 0))
      #expect(
        Position.text(line, places: 3).utf8.count == Position.text(value, places: 3).utf8.count
      )
    }
  }

  @Test("A geohash is the middle of its cell, and back")
  func geohash() throws {
    let position = try #require(Geohash.position("u4pruydqqvj".utf8))
    #expect(
      position.distance(to: try #require(Position(latitude: 57.64911, longitude: 10.40744))) < 5
    )
    #expect(Geohash.text(position, count: 11) == Array("u4pruydqqvj".utf8))
    #expect(Geohash.position("a1".utf8) == nil)
  }
}
