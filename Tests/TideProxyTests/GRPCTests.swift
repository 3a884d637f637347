import Testing
import TideCoding
import TideCore
import TideHTTP
import TidePolicy
import TideTLS

@testable import TideProxy

private let redacting = rule("imei", .redact) { $0.finding = ["imei"] }
private let blocking = rule("imei", .block) { $0.finding = ["imei"] }
private let fields = [("content-type", "application/grpc"), ("te", "trailers")]
private let path = "/pkg.Service/Method"

/// A message of gRPC: a protobuf with `text` as its first field, behind a prefix.
private func message(_ text: String, isCompressed: Bool = false) -> Bytes {
  var body = Bytes([0x0A, UInt8(text.utf8.count)] + Array(text.utf8))
  if isCompressed { body = Gzip.encode(body) }
  var whole = GRPCPrefix(isCompressed: isCompressed, length: UInt32(body.count)).bytes
  whole.append(body)
  return whole
}

/// The texts of the whole messages in `bytes`.
private func texts(_ bytes: [UInt8]) throws -> [String] {
  var splitter = UnitSplitter(.grpc)
  var pieces: [UnitPiece] = []
  splitter.receive(Bytes(bytes), &pieces)
  #expect(!splitter.isBroken)
  var texts: [String] = []
  for piece in pieces where piece.kind == .content {
    #expect(piece.endsUnit)
    let limits = DecodingLimits(decodedBytes: 10_000, ratio: 100)
    let body = piece.isCompressed ? try Gzip.decode(piece.bytes, limits: limits) : piece.bytes
    #expect(body.count == 2 + Int(body[1]))
    texts.append(body.dropping(first: 2).text)
  }
  return texts
}

/// gRPC: messages are inspected one by one, and a stop has a grpc-status.
@Suite struct GRPCTests {
  private func status(_ answer: HTTP2Message) -> String? {
    answer.trailers?.first("grpc-status")?.text ?? answer.field("grpc-status")
  }

  @Test(
    "A unary call goes through with its trailers, and is recorded as grpc",
    arguments: Cut.allCases
  )
  func unary(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let call = play.open("POST", path, fields)
    play.upload(message("hello"), on: call, isLast: true)
    #expect(try texts(play.asked[0].body) == ["hello"])
    #expect(play.asked[0].isWhole)
    try play.reply(to: path, 200, [("content-type", "application/grpc")], isLast: false)
    try play.send(message("world"), to: path)
    try play.sendTrailers([("grpc-status", "0")], to: path)
    #expect(try texts(play.answer(call).body) == ["world"])
    #expect(self.status(play.answer(call)) == "0")
    #expect(play.answer(call).isWhole)
    let flow = try play.book.flow()
    #expect(flow.start.protocolName == "grpc")
    #expect(flow.failure == nil)
    play.expectCleanEnd()
  }

  @Test("An error of trailers only goes through as it came")
  func trailersOnly() throws {
    let play = try HTTP2Play()
    let call = play.open("POST", path, fields)
    play.upload(message("hello"), on: call, isLast: true)
    try play.reply(to: path, 200, [("content-type", "application/grpc"), ("grpc-status", "5")])
    #expect(play.answer(call).field("grpc-status") == "5")
    #expect(play.answer(call).isWhole && play.answer(call).trailers == nil)
    play.expectCleanEnd()
  }

  @Test(
    "Messages pass one by one where a rule may redact, and one with a finding is replaced",
    arguments: Cut.allCases
  )
  func oneByOne(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let call = play.open("POST", path, fields)
    #expect(play.asked.count == 1, "the head does not wait for a message")
    for number in 1...2 {
      play.upload(message("m\(number)"), on: call)
      #expect(try texts(play.asked[0].body).last == "m\(number)")
    }
    let third = message("imei=\(World.imei)")
    play.upload(third.slice(0..<12), on: call)
    #expect(try texts(play.asked[0].body).count == 2, "half a message is held")
    play.upload(third.dropping(first: 12), on: call)
    play.upload(message("m4"), on: call, isLast: true)
    let heard = try texts(play.asked[0].body)
    #expect(heard.count == 4)
    #expect(heard[2].hasPrefix("imei=") && heard[2].count == 20)
    #expect(heard[2] != "imei=\(World.imei)")
    #expect(heard[3] == "m4")
    #expect(play.asked[0].isWhole)
    let flow = try play.book.flow()
    #expect(flow.findings.count == 1)
    #expect(flow.requestBody.contains(World.imei) && !flow.sentBody.contains(World.imei))
    #expect(flow.end?.failure == nil || flow.end == nil)
    play.expectCleanEnd()
  }

  @Test(
    "A compressed message is inspected, and compressed again once it is redacted",
    arguments: Cut.allCases
  )
  func compressed(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .redact, rules: [redacting])
    let call = play.open("POST", path, fields + [("grpc-encoding", "gzip")])
    play.upload(message("plain"), on: call)
    play.upload(message("imei=\(World.imei)", isCompressed: true), on: call)
    play.upload(message("last", isCompressed: true), on: call, isLast: true)
    let heard = try texts(play.asked[0].body)
    #expect(heard.count == 3 && heard[0] == "plain" && heard[2] == "last")
    #expect(heard[1].hasPrefix("imei=") && heard[1].count == 20)
    #expect(heard[1] != "imei=\(World.imei)")
    #expect(play.asked[0].isWhole)
    play.expectCleanEnd()
  }

  @Test(
    "A blocked message is answered by trailers alone if the server has said nothing",
    arguments: Cut.allCases
  )
  func blockUnanswered(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let call = play.open("POST", path, fields)
    play.upload(message("m1"), on: call)
    play.upload(message("m2"), on: call)
    play.upload(message("imei=\(World.imei) "), on: call)
    #expect(try texts(play.asked[0].body.prefix(18)[...].map(\.self)) == ["m1", "m2"])
    #expect(!play.asked[0].text.contains(World.imei))
    #expect(play.asked[0].reset == .cancel)
    let answer = play.answer(call)
    #expect(answer.status == 200)
    #expect(answer.field("content-type") == "application/grpc")
    #expect(answer.field("grpc-status") == "7")
    #expect(answer.field("grpc-message")?.contains("rule imei") == true)
    #expect(answer.isWhole)
    #expect(answer.reset == .noError, "the device is to stop sending")
    #expect(try play.book.flow().failure == .blockedByRule)
    let next = play.open("POST", path + "2", fields)
    play.upload(message("ok"), on: next, isLast: true)
    #expect(play.asked.last?.isWhole == true, "the connection lives")
    play.expectCleanEnd()
  }

  @Test(
    "What only says that it is gRPC passes in record mode, is searched, and the flow says so once"
  )
  func noMessages() throws {
    let play = try HTTP2Play(mode: .record, rules: [blocking])
    let call = play.open("POST", path, fields)
    play.upload(Bytes(#"{"imei":"\#(World.imei)","#), on: call)
    play.upload("\"more\":1}", on: call, isLast: true)
    #expect(play.asked[0].text.hasSuffix("\"more\":1}"))
    play.expectCleanEnd()
    let flow = try play.book.flow()
    #expect(flow.notes.filter { $0.hasPrefix("no gRPC messages") }.count == 1)
    #expect(flow.findings.map(\.kind) == [.imei])
  }

  @Test(
    "A blocked message in a stream that was answered ends it with trailers",
    arguments: Cut.allCases
  )
  func blockAnswered(cut: Cut) throws {
    let play = try HTTP2Play(cut, mode: .block, rules: [blocking])
    let call = play.open("POST", path, fields)
    play.upload(message("m1"), on: call)
    try play.reply(to: path, 200, [("content-type", "application/grpc")], isLast: false)
    try play.send(message("a1"), to: path)
    play.upload(message("imei=\(World.imei) "), on: call)
    let answer = play.answer(call)
    #expect(try texts(answer.body) == ["a1"])
    #expect(answer.trailers?.first("grpc-status") == "7")
    #expect(answer.isWhole)
    #expect(play.asked[0].reset == .cancel && !play.asked[0].isWhole)
    play.expectCleanEnd()
  }

  @Test(
    "In a ping-pong nobody waits for more than one message",
    arguments: Mode.allCases,
    Cut.allCases
  )
  func pingPong(mode: Mode, cut: Cut) throws {
    let rules = [
      rule("imei-redact", .redact) { $0.finding = ["imei"] },
      rule("imsi-block", .block) { $0.finding = ["imsi"] },
    ]
    let play = try HTTP2Play(cut, mode: mode, rules: rules)
    let call = play.open("POST", path, fields)
    for number in 1...5 {
      play.upload(message("ping \(number)"), on: call)
      #expect(try texts(play.asked[0].body).last == "ping \(number)")
      if number == 1 {
        try play.reply(to: path, 200, [("content-type", "application/grpc")], isLast: false)
      }
      try play.send(message("pong \(number)"), to: path)
      #expect(try texts(play.answer(call).body).last == "pong \(number)")
    }
    play.upload(Bytes(), on: call, isLast: true)
    try play.sendTrailers([("grpc-status", "0")], to: path)
    #expect(play.answer(call).isWhole)
    #expect(try play.book.flow().failure == nil)
    play.expectCleanEnd()
  }

  @Test("A call in a sinkhole is denied, and one whose server is gone is unavailable")
  func denied() throws {
    let rules = [rule("no-cn", .block) { $0.region = ["lab-cn"] }]
    let sunk = try HTTP2Play(mode: .block, rules: rules, at: "203.0.113.5")
    let denied = sunk.open("POST", path, fields)
    sunk.upload(message("hello"), on: denied, isLast: true)
    #expect(self.status(sunk.answer(denied)) == "7")
    #expect(sunk.answer(denied).isWhole)
    #expect(try texts(Array(sunk.book.flow().requestBody.utf8)) == ["hello"])
    sunk.expectCleanEnd()
    let cut = try HTTP2Play()
    let lost = cut.open("POST", path, fields)
    cut.book.serverCloses(.reset)
    cut.settle()
    #expect(self.status(cut.answer(lost)) == "14")
    cut.expectCleanEnd()
  }

  @Test("A message over the hold limit follows otherwise", arguments: [Action.block, .allow])
  func overHoldLimit(otherwise: Action) throws {
    var limits = Limits()
    limits.holdBytes = 100
    let redacting = rule("imei", .redact, otherwise: otherwise) { $0.finding = ["imei"] }
    let play = try HTTP2Play(.pieces, mode: .redact, rules: [redacting], limits: limits)
    let call = play.open("POST", path, fields)
    play.upload(message("small"), on: call)
    play.upload(message(String(repeating: "z", count: 200)), on: call, isLast: true)
    if otherwise == .block {
      #expect(self.status(play.answer(call)) == "7")
      #expect(try texts(play.asked[0].body) == ["small"])
      #expect(play.asked[0].reset == .cancel)
      #expect(try play.book.flow().failure == .notRedactable)
    } else {
      #expect(try texts(play.asked[0].body).count == 2)
      #expect(play.asked[0].isWhole)
    }
    play.expectCleanEnd()
  }
}
