import Testing
import TideCore

@testable import TideEngineNIO

@Suite struct DNSMessageTests {
  private var random = Seeded(state: 0xD45)

  private func query(_ name: String = "www.Vendor.example", _ type: DNSType = .a) throws -> DNSQuery
  {
    var random = self.random
    return DNSQuery(DNSName(try #require(Hostname(name))), type, using: &random)
  }

  @Test(
    "A question carries its id, asks for recursion, and has letters of random case and an OPT record"
  )
  func question() throws {
    let query = try self.query()
    let bytes = query.message(isExtended: true)
    let message = try DNSMessage(Bytes(bytes))
    #expect(message.id == query.id)
    #expect(!message.isResponse && bytes[2] == 1)
    let spelling = try #require(message.questions.first).spelling
    #expect(DNSName(spelling: spelling) == query.name)
    #expect(spelling != query.name.wire, "this seed capitalises a letter")
    #expect(bytes.suffix(11) == [0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0])
    #expect(try DNSMessage(Bytes(query.message(isExtended: false))).questions.count == 1)
  }

  @Test(
    "Only a response with the id, the question and its spelling answers; another spelling is suspect"
  )
  func fit() throws {
    let query = try self.query()
    func fit(_ change: (inout DNSBuilder) -> Void) throws -> DNSQuery.Fit {
      var builder = DNSBuilder(to: query)
      change(&builder)
      return query.fit(try DNSMessage(builder.bytes))
    }
    #expect(try fit { _ in } == .answer)
    #expect(try fit { $0.id ^= 1 } == .foreign)
    #expect(try fit { $0.flags &= 0x7FFF } == .foreign, "a query is no answer")
    #expect(try fit { $0.flags |= 0x2800 } == .foreign, "another operation")
    #expect(try fit { $0.question = [] } == .foreign)
    #expect(try fit { $0.question = query.name.wire + [0, 1, 0, 1] } == .respelled)
    #expect(try fit { $0.question = query.name.wire + [0, 28, 0, 1] } == .foreign)
    #expect(try fit { $0.question = query.name.wire + [0, 1, 0, 3] } == .foreign)
    #expect(
      try fit { $0.question = DNSBuilder.name("other.example") + [0, 1, 0, 1] } == .foreign
    )
  }

  @Test("Names are read through pointers that lead back, and only through those")
  func pointers() throws {
    var builder = DNSBuilder(to: try self.query("www.vendor.example"))
    builder.answers = [DNSBuilder.record([0xC0, 12], 1, [192, 0, 2, 7])]
    let message = try DNSMessage(builder.bytes)
    #expect(message.answers.first?.owner.host?.text == "www.vendor.example")
    let start = builder.bytes.count - 16
    for pointer in [start, start + 2, 0x3FFF] {
      builder.answers = [
        DNSBuilder.record([0xC0 | UInt8(pointer >> 8), UInt8(pointer & 0xFF)], 1, [192, 0, 2, 7])
      ]
      #expect(throws: DNSFailure.self) { try DNSMessage(builder.bytes) }
    }
    builder.answers = [DNSBuilder.record([0x80, 12], 1, [192, 0, 2, 7])]
    #expect(throws: DNSFailure.self, "labels of a kind that is none") {
      try DNSMessage(builder.bytes)
    }
  }

  @Test("A chain of pointers that grows a name past 255 bytes is refused")
  func longNames() throws {
    var builder = DNSBuilder()
    builder.question = []
    let label = [UInt8(63)] + [UInt8](repeating: 0x61, count: 63)
    let long = label + label + label + label + [0]
    builder.answers = [DNSBuilder.record(long, 1, [192, 0, 2, 7])]
    #expect(throws: DNSFailure.self) { try DNSMessage(builder.bytes) }
    let fits = label + label + label + [61] + [UInt8](repeating: 0x61, count: 61) + [0]
    builder.answers = [DNSBuilder.record(fits, 1, [192, 0, 2, 7])]
    #expect(try DNSMessage(builder.bytes).answers.count == 1)
  }

  @Test("Records whose lengths contradict what they hold are refused")
  func lengths() throws {
    let name = DNSBuilder.name("a.example")
    let bad: [[UInt8]] = [
      DNSBuilder.record(name, 1, [192, 0, 2]), DNSBuilder.record(name, 28, [192, 0, 2, 7]),
      DNSBuilder.record(name, 5, DNSBuilder.name("b.example") + [0]),
      DNSBuilder.record(name, 5, [3, 0x61]), DNSBuilder.record(name, 6, [0, 0]),
      Array(DNSBuilder.record(name, 16, [1, 2, 3]).dropLast()),
    ]
    for record in bad {
      var builder = DNSBuilder()
      builder.answers = [record]
      #expect(throws: DNSFailure.self) { try DNSMessage(builder.bytes) }
    }
  }

  @Test("Of a truncated message only the question is read; upper bits of the code come from OPT")
  func flags() throws {
    var builder = DNSBuilder(to: try self.query())
    builder.flags |= 0x0200
    builder.answers = [[1]]
    #expect(try DNSMessage(builder.bytes).isTruncated)
    builder.flags = 0x8180
    builder.answers = []
    builder.additionals = [[0, 0, 41, 0x04, 0xD0, 1, 0, 0, 0, 0, 0]]
    #expect(try DNSMessage(builder.bytes).code == 16)
  }

  @Test("A message cut at any byte, or with any byte changed, is read or refused, and never traps")
  func mutations() throws {
    var builder = DNSBuilder(to: try self.query())
    builder.answers = [
      DNSBuilder.alias("www.vendor.example", "edge.cdn.example"),
      DNSBuilder.address("edge.cdn.example", "192.0.2.7"),
      DNSBuilder.record([0xC0, 12], 28, [UInt8](repeating: 0x20, count: 16)),
    ]
    builder.authorities = [DNSBuilder.zone(ttl: 5, minimum: 7)]
    let whole = builder.bytes.array
    for end in 0..<whole.count {
      #expect(throws: DNSFailure.self) { try DNSMessage(Bytes(Array(whole[..<end]))) }
    }
    var random = self.random
    for _ in 0..<5_000 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
          in: 0...255,
          using: &random
        )
      }
      guard let message = try? DNSMessage(Bytes(bytes)) else { continue }
      for record in message.answers { #expect(record.owner.wire.count <= DNSName.longest) }
    }
  }

  @Test("Names that could be no host's have none")
  func hosts() {
    #expect(DNSName(spelling: [3, 0x61, 0x2E, 0x62, 0]).host == nil, "a dot inside a label")
    #expect(DNSName(spelling: [1, 0x20, 0]).host == nil)
    #expect(DNSName(spelling: [0]).host == nil)
    #expect(DNSName(spelling: [1, 0x41, 1, 0x42, 0]).host?.text == "a.b")
  }
}

/// SplitMix64: the same sequence for the same seed, so that a failure can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}
