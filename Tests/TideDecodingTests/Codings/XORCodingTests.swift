import Testing
import TideCoding
import TideCore
import TideCrypto
import TideDecoding

@Suite struct XORCodingTests {
  private let coding = XORCoding()

  @Test("Objects, forms and numbers open under every key that hides them, and are replaced")
  func opens() throws {
    let texts: [Bytes] = [
      "{\"imei\":\"490154203237518\",\"name\":\"王小明\"}",
      "imei=490154203237518&android_id=9774d56d682e549c",
      "Please call me back at the office today, thank you",
    ]
    for text in texts {
      for key in UInt8(0x80)...0xFF {
        let written = Bytes(text.map { $0 ^ key })
        #expect(value(self.coding, written) == text, "key \(key)")
        _ = try replaced(self.coding, written, by: "{\"imei\":\"359881030314356\"}")
      }
    }
    // A key below 0x20 leaves text printable: only brackets show it.
    for key in UInt8(1)..<0x20 {
      let written = Bytes(texts[0].map { $0 ^ key })
      #expect(value(self.coding, written) == texts[0], "key \(key)")
    }
  }

  @Test("Of the keys that make a number, the one with a right check digit is taken")
  func number() {
    let imei: Bytes = "490154203237518"
    #expect(value(self.coding, Bytes(imei.map { $0 ^ 0x9A })) == imei)
  }

  /// A document in a binary container, and compressed in each way.
  private func documents() throws -> [(name: String, bytes: Bytes)] {
    let json: Bytes =
      "{\"model\":\"K20\",\"imei\":\"490154203237518\",\"net\":\"wifi\",\"ab\":\"B\"}"
    // {1: 3, 2: {1: "app.pier", 2: 93}, 3: "490154203237518", 5: "4g"}
    let protobuf = try unhex(
      "080312" + "0c0a086170702e70696572105d1a0f" + "3439303135343230333233373531382a023467"
    )
    // {"op": "login", "imei": "490154203237518", "seq": 7}
    let messagePack = try unhex(
      "83a26f70a56c6f67696ea4696d6569af343930313534323033323337353138a373657107"
    )
    var long = json.array
    for number in 0..<40 { long += "\"\(number * 7_919)\",".utf8 }
    let stored = [1, 36, 0, 0xDB, 0xFF] + messagePack.array
    return [
      ("protobuf", protobuf), ("MessagePack", messagePack), ("gzip", Gzip.encode(json)),
      ("zlib", Gzip.encode(protobuf, format: .zlib)), ("zstd", Zstd.compress(json)),
      ("deflate", Gzip.encode(json, format: .raw)),
      ("deflate of much", Gzip.encode(Bytes(long), format: .raw)),
      ("deflate of protobuf", Gzip.encode(protobuf, format: .raw)),
      ("stored", Bytes(stored)), ("br", Brotli.encode(json)),
      ("br of protobuf", Brotli.encode(protobuf)),
      ("UTF-16", Bytes(json.flatMap { [$0, 0] })),
    ]
  }

  @Test("Binary containers and compressed values open under every key, and are replaced")
  func binary() throws {
    for (name, document) in try self.documents() {
      for key in UInt8(1)...255 {
        let written = Bytes(document.map { $0 ^ key })
        // What is printable under a key is left alone.
        if written.allSatisfy({ (0x20...0x7E).contains($0) || (0x09...0x0D).contains($0) }) {
          continue
        }
        guard layer(self.coding, written) != nil else {
          Issue.record("\(name) under \(key) does not open")
          break
        }
        #expect(value(self.coding, written) == document, "\(name) under \(key)")
        _ = try replaced(self.coding, written, by: document)
      }
    }
  }

  @Test("Digits of a base are told by what they stand for")
  func digits() {
    let texts: [Bytes] = [
      "7b22696d6569223a22343930313534323033323337353138222c226e223a317d",
      "7B22696D6569223A22343930313534323033323337353138222C226E223A317D",
      "eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4IiwibiI6MX0=",
      "PMRGS3LFNERDUIRUHEYDCNJUGIYDGMRTG42TCOBCFQRG4IR2GF6Q====",
    ]
    for text in texts {
      let written = Bytes(text.map { $0 ^ 0x5A })
      #expect(value(self.coding, written) == text)
    }
  }

  @Test("Random bytes, digests, compressed bytes and text do not open")
  func nearMisses() {
    var numbers = SeededRandom(17)
    for count in 12...300 {
      for _ in 0..<4 {
        let noise = Bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) })
        #expect(value(self.coding, noise) == nil)
      }
    }
    for text in ["{\"imei\":\"490154203237518\"}", "[1, 2, 3, 4, 5, 6]", "plain words as they are"]
    {
      #expect(value(self.coding, Bytes(text)) == nil)
      #expect(value(self.coding, Bytes(Digest.sha256.hash(Bytes(text)))) == nil)
    }
    #expect(value(self.coding, "王小明你好王小明你好") == nil)
  }
}
