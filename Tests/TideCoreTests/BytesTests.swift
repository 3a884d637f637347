import Testing
import TideCore

@Suite struct BytesTests {
  @Test("A slice counts from its own start and equals the bytes it covers")
  func slices() {
    let bytes: Bytes = "abcdef"
    let part = bytes.slice(2..<5)
    #expect(part == "cde")
    #expect(part[0] == 0x63)
    #expect(part.dropping(first: 1).slice(0..<1) == "d")
    #expect(part.hashValue == Bytes("cde").hashValue)
  }

  @Test("Bytes equal a text by all of its bytes, in their case")
  func equalsText() {
    let part = Bytes("a GET or so").slice(2..<5)
    #expect(part.equals("GET"))
    #expect(!part.equals("GE") && !part.equals("GETS") && !part.equals("Get"))
    #expect(Bytes().equals("") && !Bytes().equals("a") && !part.equals(""))
    #expect(Bytes("né").equals("né"))
  }

  @Test("Appending to a slice leaves its parent alone")
  func appendToSlice() {
    let parent: Bytes = "abcdef"
    var part = parent.slice(1..<3)
    part.append("XY")
    #expect(part == "bcXY")
    #expect(parent == "abcdef")
    var empty = Bytes()
    empty.append(part)
    #expect(empty == part)
  }

  @Test("Room for more changes nothing, of a slice either, and leaves its parent alone")
  func reserve() {
    let parent: Bytes = "abcdef"
    var part = parent.slice(2..<4)
    part.reserve(1)
    #expect(part == "cd")
    part.reserve(1_000)
    #expect(part == "cd")
    part.append("XY")
    #expect(part == "cdXY")
    #expect(parent == "abcdef")
    var empty = Bytes()
    empty.reserve(10)
    #expect(empty.isEmpty)
  }

  @Test("A failing fill throws its own error and makes nothing")
  func failingFill() {
    struct Refusal: Error {}
    #expect(throws: Refusal.self) { try unsafe Bytes(capacity: 4) { _ in throw Refusal() } }
  }
}
