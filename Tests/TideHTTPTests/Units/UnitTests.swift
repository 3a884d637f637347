import TideCore
import Testing

@testable import TideHTTP

@Suite struct UnitTests {
  /// The units that `parts` are cut into, each with what kind of piece it is made of.
  private struct Outcome: Equatable {
    var units: [String] = []
    var rest = ""
    var all: [UInt8] = []
    var isBroken = false
    var isBetweenUnits = false

    init(_ framing: UnitFraming, _ parts: [Bytes], finishes: Bool = false) {
      var splitter = UnitSplitter(framing)
      var pieces: [UnitPiece] = []
      for part in parts { splitter.receive(part, &pieces) }
      if finishes { splitter.finish(&pieces) }
      var unit: [UInt8] = []
      for piece in pieces {
        self.all.append(contentsOf: piece.bytes)
        if case .prefix(let prefix) = piece.kind {
          unit.append(contentsOf: prefix.isTrailers ? "T" : prefix.isCompressed ? "C" : "P")
        } else {
          unit.append(contentsOf: piece.bytes)
        }
        guard piece.endsUnit else { continue }
        self.units.append(String(decoding: unit, as: UTF8.self))
        unit = []
      }
      self.rest = String(decoding: unit, as: UTF8.self)
      self.isBroken = splitter.isBroken
      self.isBetweenUnits = splitter.isBetweenUnits
    }
  }

  /// Cuts the content everywhere and expects that it makes no difference.
  private func outcome(
    _ framing: UnitFraming,
    _ content: Bytes,
    finishes: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> Outcome {
    let whole = Outcome(framing, [content], finishes: finishes)
    for parts in everyCut(of: content) {
      #expect(
        Outcome(framing, parts, finishes: finishes) == whole,
        sourceLocation: sourceLocation
      )
    }
    if finishes { #expect(whole.all == content.array, sourceLocation: sourceLocation) }
    return whole
  }

  private func message(_ text: Bytes, flags: UInt8 = 0) -> Bytes {
    joined([Bytes([flags, 0, 0, 0, UInt8(text.count)]), text])
  }

  @Test("gRPC messages are told apart, empty, compressed and trailers too, wherever they are cut")
  func grpc() {
    let content = joined([
      self.message("first"), self.message(""), self.message("zipped", flags: 1),
      self.message("grpc-status: 0", flags: 0x80), self.message("cut").slice(0..<7),
    ])
    let outcome = self.outcome(.grpc, content)
    #expect(outcome.units == ["Pfirst", "P", "Czipped", "Tgrpc-status: 0"])
    #expect(outcome.rest == "Pcu")
    #expect(!outcome.isBetweenUnits && !outcome.isBroken)
    #expect(self.outcome(.grpc, self.message("one")).isBetweenUnits)
  }

  @Test(
    "Every piece of a compressed gRPC message says so, and an empty message ends with its prefix"
  )
  func grpcPieces() {
    var splitter = UnitSplitter(.grpc)
    var pieces: [UnitPiece] = []
    splitter.receive(joined([self.message("ab", flags: 1), self.message("")]), &pieces)
    let zipped = GRPCPrefix(isCompressed: true, length: 2)
    let empty = GRPCPrefix(isCompressed: false, length: 0)
    #expect(
      pieces == [
        UnitPiece(bytes: zipped.bytes, kind: .prefix(zipped), isCompressed: true, endsUnit: false),
        UnitPiece(bytes: "ab", isCompressed: true, endsUnit: true),
        UnitPiece(bytes: empty.bytes, kind: .prefix(empty), endsUnit: true),
      ]
    )
  }

  @Test("A gRPC message of 4 GiB is passed on as it comes")
  func grpcLong() {
    var splitter = UnitSplitter(.grpc)
    var pieces: [UnitPiece] = []
    splitter.receive(Bytes([0, 0xFF, 0xFF, 0xFF, 0xFF]), &pieces)
    splitter.receive("some", &pieces)
    #expect(pieces.last == UnitPiece(bytes: "some", endsUnit: false))
    #expect(!splitter.isBetweenUnits)
  }

  @Test("From an unknown gRPC flag on all is one unit without end, and no byte is lost")
  func grpcBroken() {
    let content = joined([self.message("good"), self.message("bad", flags: 2), self.message("x")])
    let outcome = self.outcome(.grpc, content)
    #expect(outcome.isBroken && !outcome.isBetweenUnits)
    #expect(outcome.units == ["Pgood"])
    #expect(outcome.all == content.array)
  }

  @Test("gRPC content that is cut short is broken, and gives up the half prefix that it held")
  func grpcCut() {
    let content = joined([self.message("good"), Bytes([0, 0, 0])])
    let outcome = self.outcome(.grpc, content, finishes: true)
    #expect(outcome.isBroken)
    #expect(outcome.units == ["Pgood", "\0\0\0"])
    #expect(self.outcome(.grpc, self.message("cut").slice(0..<6), finishes: true).isBroken)
    #expect(!self.outcome(.grpc, self.message("whole"), finishes: true).isBroken)
  }

  @Test("A prefix is written as it is read")
  func prefixes() {
    for prefix in [
      GRPCPrefix(isCompressed: false, length: 0),
      GRPCPrefix(isCompressed: true, length: 0x0102_0304),
      GRPCPrefix(isCompressed: false, isTrailers: true, length: .max),
    ] { #expect(GRPCPrefix(prefix.bytes) == prefix) }
    #expect(GRPCPrefix(isCompressed: true, length: 258).bytes.array == [1, 0, 0, 1, 2])
    #expect(GRPCPrefix(Bytes([4, 0, 0, 0, 0])) == nil)
    #expect(GRPCPrefix(Bytes([0, 0, 0, 0])) == nil)
  }

  @Test("An event ends at a blank line, whatever its line ends and wherever it is cut")
  func events() {
    #expect(
      self.outcome(.events, "data: a\ndata: b\n\n: ping\n\ndata: c\n").units
        == ["data: a\ndata: b\n\n", ": ping\n\n"]
    )
    #expect(
      self.outcome(.events, "data: a\r\n\r\nid: 2\r\ndata: b\r\n\r\n").units
        == ["data: a\r\n\r\n", "id: 2\r\ndata: b\r\n\r\n"]
    )
    #expect(
      self.outcome(.events, "data: a\r\rdata: b\rdata: c\r\r\rd").units
        == ["data: a\r\r", "data: b\rdata: c\r\r", "\r"]
    )
    #expect(self.outcome(.events, "data: a\n\r\ndata: b\r\n\nd").units.count == 2)
    #expect(
      self.outcome(.events, "data: a\n\rdata: b\n\n").units == ["data: a\n\r", "data: b\n\n"]
    )
    #expect(self.outcome(.events, "\n\r\n\n").units == ["\n", "\r\n", "\n"])
    #expect(self.outcome(.events, "a\r\r\nb\r\r").units == ["a\r\r", "\nb\r\r"])
  }

  @Test("An event of a sender that writes CR is complete before the next one begins")
  func carriageReturns() {
    let outcome = self.outcome(.events, "data: a\r\r")
    #expect(outcome.units == ["data: a\r\r"])
    #expect(outcome.isBetweenUnits)
  }

  @Test("The LF of a CRLF that comes with the next read belongs to the event before")
  func splitLineEnd() {
    var splitter = UnitSplitter(.events)
    var pieces: [UnitPiece] = []
    splitter.receive("data: a\r\n\r", &pieces)
    #expect(!splitter.isBetweenUnits)
    splitter.receive("\ndata", &pieces)
    #expect(
      pieces == [
        UnitPiece(bytes: "data: a\r\n\r", endsUnit: false), UnitPiece(bytes: "\n", endsUnit: true),
        UnitPiece(bytes: "data", endsUnit: false),
      ]
    )
  }

  @Test("A line ends at LF; the last one needs none")
  func lines() {
    let content = Bytes("{\"a\":1}\n{\"long\": \"line of more than a word\"}\r\n\n{\"b\":2}")
    let units = ["{\"a\":1}\n", "{\"long\": \"line of more than a word\"}\r\n", "\n"]
    #expect(self.outcome(.lines, content).units == units)
    #expect(!self.outcome(.lines, content).isBetweenUnits)
    #expect(self.outcome(.lines, content, finishes: true).units == units + ["{\"b\":2}"])
    #expect(self.outcome(.lines, "a\n", finishes: true).units == ["a\n"])
  }

  @Test("Random content never traps, and its pieces are the content, however it is cut")
  func random() {
    var random = SeededRandom(11)
    let alphabet = Array("\n\n\r\rab\0\u{1}".utf8)
    for framing in [.grpc, .events, .lines] as [UnitFraming] {
      for _ in 0..<300 {
        let count = Int.random(in: 0...120, using: &random)
        let content = Bytes(
          (0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        )
        let whole = Outcome(framing, [content], finishes: true)
        let parts = randomCut(of: content, largest: 7, &random)
        #expect(Outcome(framing, parts, finishes: true) == whole)
        #expect(whole.all == content.array)
        #expect(whole.rest.isEmpty)
      }
    }
  }

  @Test(
    "The framing is told by Content-Type, unless the content is compressed as a whole",
    arguments: [
      ("application/grpc", nil, .grpc), ("application/grpc+proto", "gzip", nil),
      ("application/grpc-web+proto", nil, .grpc), ("application/grpc-web-text", nil, nil),
      ("application/grpcx", nil, nil), ("Text/Event-Stream ; charset=utf-8", nil, .events),
      ("text/event-stream", "gzip", nil), ("text/event-stream", "identity", .events),
      ("application/x-ndjson", nil, .lines), ("application/jsonl", nil, .lines),
      ("application/json-seq", nil, .lines), ("application/json", nil, nil), ("", nil, nil),
    ] as [(String, String?, UnitFraming?)]
  )
  func framing(type: String, coding: String?, expected: UnitFraming?) {
    var fields = HeaderFields([("content-type", type)])
    if let coding { fields.append(name: "content-encoding", value: Bytes(coding)) }
    #expect(UnitFraming.of(fields) == expected)
    fields.append(name: "Content-Type", value: "text/plain")
    #expect(UnitFraming.of(fields) == nil)
    #expect(UnitFraming.of(HeaderFields()) == nil)
  }
}
