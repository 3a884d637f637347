import TideCore
import TideHTTP
import Testing

/// A small generator with a seed (SplitMix64), so that a failure can be played again.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var value = self.state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  mutating func text(_ alphabet: String, _ count: ClosedRange<Int>) -> String {
    let letters = Array(alphabet)
    return String(
      (0..<Int.random(in: count, using: &self)).compactMap { _ in
        letters.randomElement(using: &self)
      }
    )
  }

  /// A message that its receiver has to accept.
  mutating func message(isRequest: Bool) -> [MessagePart] {
    var fields = HeaderFields()
    if isRequest { fields.append(name: "Host", value: "a.example") }
    for _ in 0..<Int.random(in: 0...8, using: &self) {
      let value = self.text("abc XYZ\t,;=\"\u{E9}", 0...20)
      let trimmed = value.drop { $0 == " " || $0 == "\t" }.reversed()
        .drop { $0 == " " || $0 == "\t" }.reversed()
      fields.append(
        name: Bytes("X" + self.text("abcXYZ-_.~!09", 0...12)),
        value: Bytes(String(trimmed))
      )
    }
    let body = (0..<Int.random(in: 0...4, using: &self)).map { _ in
      Bytes(self.text("\r\n0123 abc", 1...40))
    }
    let isChunked = Bool.random(using: &self)
    if isChunked {
      fields.append(name: "Transfer-Encoding", value: "chunked")
    } else {
      let length = body.reduce(0) { $0 + $1.count }
      fields.append(name: "Content-Length", value: Bytes("\(length)"))
    }
    let start: StartLine =
      isRequest
      ? .request(
        method: Bytes(self.text("GETPOS-", 1...9)),
        target: Bytes("/" + self.text("abc/?=&%\u{E9}", 0...30))
      )
      : .response(
        status: Int.random(in: 305...999, using: &self),
        reason: Bytes(self.text("abc ", 0...9) + "x")
      )
    var parts: [MessagePart] = [.head(MessageHead(start: start, fields: fields))]
    parts += body.map { .body($0) }
    if isChunked, Bool.random(using: &self) {
      parts.append(.trailers(HeaderFields([("Digest", self.text("abc", 0...9))])))
    }
    return parts + [.end]
  }
}

@Suite struct RoundTripTests {
  @Test("What is written is read back as the same parts", arguments: [true, false])
  func roundTrip(isRequest: Bool) throws {
    var generator = Seeded(state: isRequest ? 1 : 2)
    for round in 0..<200 {
      let parts = generator.message(isRequest: isRequest)
      var output: [UInt8] = []
      var sender = HTTP1Codec(role: isRequest ? .client : .server, limits: Limits())
      for part in parts { try sender.send(part, &output) }
      var expected = Outcome()
      expected.add(parts)
      let outcome = receiveHoweverCut(Bytes(output), as: isRequest ? .server : .client(["GET"]))
      #expect(outcome == expected, "round \(round)")
    }
  }

  @Test("What was read goes out as the bytes that came, if nothing in them was unusual")
  func sameBytes() throws {
    var generator = Seeded(state: 3)
    for round in 0..<200 {
      var first: [UInt8] = []
      var sender = HTTP1Codec(role: .client, limits: Limits())
      for part in generator.message(isRequest: true) { try sender.send(part, &first) }
      var parts: [MessagePart] = []
      var receiver = HTTP1Codec(role: .server, limits: Limits())
      try receiver.receive(Bytes(first), &parts)
      var second: [UInt8] = []
      for part in parts { try sender.send(part, &second) }
      #expect(second == first, "round \(round)")
    }
  }

  @Test("No bytes make the codec trap, and what it accepts it can write again")
  func noise() throws {
    var generator = Seeded(state: 4)
    for _ in 0..<500 {
      var bytes: [UInt8] = []
      var sender = HTTP1Codec(role: .client, limits: Limits())
      for part in generator.message(isRequest: true) { try sender.send(part, &bytes) }
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        let at = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...2, using: &generator) {
        case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: at)
        default: bytes.remove(at: at)
        }
      }
      let whole = receive([Bytes(bytes)], as: .server)
      let single = receive(bytes.map { Bytes([$0]) }, as: .server)
      #expect(whole.seen == single.seen)
      #expect(whole.failure == single.failure)
      var parts: [MessagePart] = []
      var receiver = HTTP1Codec(role: .server, limits: Limits())
      try? receiver.receive(Bytes(bytes), &parts)
      for part in parts { try sender.send(part, &bytes) }
    }
  }
}
