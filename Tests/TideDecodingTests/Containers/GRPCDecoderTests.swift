import Testing
import TideCore
import TideDecoding

@Suite struct GRPCDecoderTests {
  private static let decoder = GRPCDecoder()
  private static let declared = LayerContext(place: .content, mediaType: "application/grpc+proto")

  private static func frame(_ content: String, flag: UInt8 = 0) -> [UInt8] {
    [flag] + (0..<4).map { UInt8(truncatingIfNeeded: content.utf8.count >> (24 - 8 * $0)) }
      + Array(content.utf8)
  }

  @Test("Each message is a leaf, trailers of gRPC-Web too, and empty ones are there")
  func messages() throws {
    let body =
      Self.frame("first") + Self.frame("") + Self.frame("packed", flag: 1)
      + Self.frame("grpc-status:0\r\n", flag: 0x80)
    let opened = try #require(Opened(Self.decoder, Bytes(body)))
    #expect(
      opened.leaves == ["$[0]=first", "$[1]=", "$[2]=packed", "$[3]=grpc-status:0\r\n"]
    )
    #expect(opened.layer.isCertain && opened.isOrdered)
  }

  @Test("A message of another length gets its length, and nothing else changes")
  func close() throws {
    let body = Self.frame("first") + Self.frame("") + Self.frame("third")
    let opened = try #require(Opened(Self.decoder, Bytes(body)))
    let long = String(repeating: "x", count: 70_000)
    let closed = Self.decoder.close(
      opened.layer,
      over: opened.bytes,
      replacing: [0: "1", 1: Bytes(long)]
    )
    #expect(closed == Bytes(Self.frame("1") + Self.frame(long) + Self.frame("third")))
    #expect(Self.decoder.close(opened.layer, over: opened.bytes, replacing: [3: "x"]) == nil)
  }

  @Test(
    "Cut frames, unknown flags and frames without content are nothing",
    arguments: [
      [0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 2, 1], [0, 0, 0, 0, 1, 1, 0], [4, 0, 0, 0, 1, 1],
      [0, 0xFF, 0xFF, 0xFF, 0xFF, 1],
    ] as [[UInt8]]
  )
  func others(bytes: [UInt8]) {
    #expect(Opened(Self.decoder, Bytes(bytes)) == nil)
  }

  @Test("A declared body may be one empty message")
  func emptyMessage() {
    #expect(Opened(Self.decoder, Bytes([0, 0, 0, 0, 0]), Self.declared)?.leaves == ["$[0]="])
  }

  @Test("More messages than the budget has nodes are refused; a body of zeros is none at all")
  func budget() {
    let zeros = Bytes([UInt8](repeating: 0, count: 5_000))
    var budget = DecodingBudget(bytes: 1 << 20, nodes: 100, depth: 8, ratio: 100)
    #expect(Self.decoder.open(zeros, LayerContext(place: .content), &budget) == nil)
    #expect(!budget.isExceeded)
    let body = Bytes((0..<200).flatMap { _ in Self.frame("x") })
    #expect(Opened(Self.decoder, body, nodes: 199) == nil)
    #expect(Opened(Self.decoder, body, nodes: 200) != nil)
  }
}
