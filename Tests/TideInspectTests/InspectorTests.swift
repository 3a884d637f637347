import Testing
import TideCore

@testable import TideInspect

/// Values that are in no profile.
@Suite struct InspectorTests {
  private func lines(_ body: String, _ inspectors: [String]? = nil) throws -> [String] {
    try makeContext([], inspectors: inspectors).findings(body).map(\.line)
  }

  /// Kind and certainty alone, where the text may open as this or that.
  private func kinds(_ body: String) throws -> [String] {
    try makeContext([]).findings(body).map { "\($0.kind) \($0.certainty)" }
  }

  @Test(
    "An IMEI is taken under a name that says so",
    arguments: ["imei", "IMEI2", "deviceId", "device_id", "X-Did", "phoneImei"]
  )
  func imeiNames(name: String) throws {
    #expect(try self.lines("{\"\(name)\":\"353918057012342\"}").count == 1)
    #expect(try self.lines("\(name)=353918057012342").count == 1)
    #expect(try self.lines("{\\\"\(name)\\\":353918057012342}").count == 1)
    #expect(try self.lines("<\(name)>353918057012342</\(name)>").count == 1)
    #expect(try self.lines("%7B%22\(name)%22%3A%22353918057012342%22").count == 1)
    // A wrong check digit, a reporting body that never was, a longer number.
    for digits in ["353918057012343", "773918057012344", "35391805701234207"] {
      #expect(try self.lines("{\"\(name)\":\"\(digits)\"}").isEmpty)
    }
  }

  @Test("A name that only begins like one is no context")
  func otherNames() throws {
    for name in ["order", "imeister", "didactic", "deviceidentity"] {
      #expect(try self.lines("{\"\(name)\":\"353918057012342\"}").isEmpty)
    }
  }

  @Test("In a field the name is the field's, in a cookie the cookie's, in a query the key")
  func headNames() throws {
    let context = try makeContext([])
    let head = request(
      "/x?imei=353918057012342&order=353918057012342",
      [("X-IMEI", "353918057012342"), ("Cookie", "a=353918057012342; did=353918057012342")]
    )
    #expect(
      context.inspect(head: head, direction: .request).map(\.line) == [
        "imei likely query imei", "imei likely header x-imei", "imei likely cookie did",
      ]
    )
    let trailers = HeaderFields([("IMEI", "353918057012342")])
    #expect(
      context.inspect(trailers: trailers, direction: .request).map(\.line)
        == ["imei likely trailer imei"]
    )
  }

  @Test("A SIM's number is possible by its digits and likely under its name")
  func iccid() throws {
    #expect(try self.lines("n 8988692000000123457 x").isEmpty)
    #expect(try self.kinds("n 8988692000000123456 x") == ["iccid possible"])
    #expect(
      try self.lines("{\"simSerial\":\"8988692000000123456\"}") == ["iccid likely body $.simSerial"]
    )
  }

  @Test("A mail address is possible anywhere and likely under a name")
  func email() throws {
    #expect(
      try self.kinds("see some.one+x@post.test, or email=b%40mail.post.test&x=1")
        == ["email possible", "email likely"]
    )
    #expect(try self.kinds("%22a.b%40post.test%22") == ["email possible"])
  }

  @Test("A link-layer address is named by its context, and random ones are nobody's hardware")
  func mac() throws {
    #expect(
      try self.lines(
        "{\"wifiMac\":\"94:CE:C4:87:67:0F\",\"bt_mac\":\"94-ce-c4-87-67-0e\",\"bssid\":\"96:ce:c4:87:67:0f\",\"mac\":\"96:ce:c4:87:67:0f\"}"
      ) == [
        "wifi_mac likely body $.wifiMac", "bt_mac likely body $.bt_mac",
        "bssid likely body $.bssid",
      ]
    )
    #expect(try self.kinds("mac:94:ce:c4:87:67:0f") == ["wifi_mac likely"])
  }

  @Test("Only the inspectors that are named run; a name that is none is refused")
  func choice() throws {
    let body = "{\"imei\":\"353918057012342\",\"mail\":\"a@post.test\"}"
    #expect(try self.lines(body, ["email"]) == ["email likely body $.mail"])
    #expect(try makeContext(inspectors: ["imei"]).findings(Phone.imsi).isEmpty)
    #expect(throws: InspectionFailure(.unknownInspector, "no inspector or decoder is called emial"))
    {
      try makeContext(inspectors: ["emial"])
    }
    #expect(throws: InspectionFailure(.badSecret, "a case secret of 3 bytes, not 32")) {
      try InspectionPlan(profiles: [], inspectors: nil, secret: [1, 2, 3], limits: Limits())
    }
    #expect(
      InspectionPlan.builtinInspectorNames == [
        "needles", "imei", "iccid", "email", "mac", "grouped", "position", "phone", "contact_list",
        "named",
        "apps",
        "browsing", "credential", "opaque",
      ]
    )
  }
}
