import Testing
import TideCore
import TideDecoding

/// What the fuzz targets found.
@Suite struct FuzzedDecoderTests {
  private func bytesSpent(_ decoder: some LayerDecoder, on bytes: Bytes) -> Int? {
    var budget = DecodingBudget(bytes: 1_000, nodes: 100, depth: 8, ratio: 100)
    let context = LayerContext(place: .content)
    return decoder.open(bytes, context, &budget).map { _ in 1_000 - budget.bytes }
  }

  @Test("Digits in half bytes that would be read in another order are not written")
  func halfBytes() throws {
    let bytes = Bytes([0x89, 0x88, 0x69, 0x20, 0, 0, 0, 0, 0, 0x18])
    let opened = try #require(Opened(BCDCoding(), bytes))
    #expect(opened.leaves == ["$=89886920000000000018"])
    func closed(_ value: Bytes) -> Bytes? {
      BCDCoding().close(opened.layer, over: bytes, replacing: [0: value])
    }
    #expect(closed("89860020000000000018") == Bytes([0x89, 0x86, 0, 0x20, 0, 0, 0, 0, 0, 0x18]))
    #expect(closed("19860020000000000018") == nil)
  }

  @Test("Text in parts and text in UTF-16 are paid for")
  func budget() {
    let chunks: Bytes = "\u{7F}\u{64}Redm\u{62}i1"
    let item = Bytes([0xBF, 0x64] + Array("imei".utf8) + chunks.array + [0xFF, 0xFF])
    #expect(self.bytesSpent(CBORDecoder(), on: item) == 6)
    // bplist00, an array of one string of 8 units, the table of offsets, the trailer.
    let wide = (0..<8).flatMap { [UInt8(0x67), UInt8($0)] }
    let objects = Array("bplist00".utf8) + [0xA1, 1, 0x68] + wide
    let trailer = [UInt8](repeating: 0, count: 6) + [1, 1] + [0, 0, 0, 0, 0, 0, 0, 2]
    let ends = [UInt8](repeating: 0, count: 15) + [UInt8(objects.count)]
    let list = Bytes(objects + [8, 10] + trailer + ends)
    #expect(self.bytesSpent(BinaryPlistDecoder(), on: list) == 24)
  }

  @Test("Of two Content-Disposition fields of a part the last one names the file, once")
  func dispositions() throws {
    let field = "Content-Disposition: form-data; name=\"a\"; filename=\"490154203237518\"\r\n"
    let bytes = Bytes("--b\r\n\(field)\(field)\r\ncontent\r\n--b--\r\n")
    let opened = try #require(Opened(MultipartDecoder(), bytes))
    #expect(opened.leaves == ["$.a.filename=490154203237518", "$.a=content"])
    #expect(opened.isOrdered)
  }

  @Test("White space at the edge of a value is escaped, where it would be lost")
  func edges() throws {
    let bytes: Bytes = "n=%20+x y&m=1"
    let opened = try #require(
      Opened(FormDecoder(), bytes, LayerContext(place: .content, mediaType: form))
    )
    let closed = try #require(
      FormDecoder().close(opened.layer, over: bytes, replacing: [0: " x y "])
    )
    let again = try #require(
      Opened(FormDecoder(), closed, LayerContext(place: .content, mediaType: form))
    )
    #expect(again.leaves == ["$.n= x y ", "$.m=1"])
  }

  @Test("A name that would be taken for base64 with its padding is not written")
  func padding() throws {
    let bytes: Bytes = "490154203237518xyz=&m=1"
    let context = LayerContext(place: .content, mediaType: form)
    let opened = try #require(Opened(FormDecoder(), bytes, context))
    #expect(opened.leaves.first == "$[\"{key}\"]=490154203237518xyz")
    func closed(_ value: Bytes) -> Bytes? {
      FormDecoder().close(opened.layer, over: bytes, replacing: [0: value])
    }
    #expect(closed("771352346570023xyz") == "771352346570023xyz=&m=1")
    #expect(closed("771352346570023xyzw") == nil)
  }

  private let form = "application/x-www-form-urlencoded"
}
