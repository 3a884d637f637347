import Testing
import TideCore

@testable import TideInspect

/// An inspector that is shown everything.
private struct Untriggered<Wrapped: Inspector>: Inspector {
  static var id: String { Wrapped.id }
  let wrapped: Wrapped

  var interest: Interest { self.wrapped.interest }
  var maxMatchLength: Int { self.wrapped.maxMatchLength }

  func inspect(_ window: borrowing Window, _ sink: inout FindingSink) {
    self.wrapped.inspect(window, &sink)
  }
}

private func untriggered<Wrapped: Inspector>(_ inspector: Wrapped) -> any Inspector {
  Untriggered(wrapped: inspector)
}

@Suite struct TriggerTests {
  private static let all: [any Inspector] =
    Builtins.inspectors(InspectorMaterial([])) + [ExampleTicketInspector()]

  @Test("Triggers change nothing that is found, wherever the body is cut", arguments: 0..<40)
  func nothingIsLost(seed: UInt64) throws {
    let with = try makeContext([], inspectors: [], additional: Self.all)
    let without = try makeContext([], inspectors: [], additional: Self.all.map { untriggered($0) })
    var generator = SeededGenerator(state: seed)
    let text = Self.text(&generator)
    let fields = seed % 2 == 0 ? [] : [("Content-Type", "application/x-www-form-urlencoded")]
    let expected = without.findings([text], fields)
    #expect(!expected.isEmpty)
    #expect(with.findings([text], fields) == expected)
    for largest in [40, 700, 9_000] {
      var pieces: [Bytes] = []
      var rest = text
      while !rest.isEmpty {
        let count = min(rest.count, .random(in: 1...largest, using: &generator))
        pieces.append(rest.slice(0..<count))
        rest = rest.dropping(first: count)
      }
      #expect(with.findings(pieces, fields) == expected)
    }
    // The same in the fields of a head, which are first looked at together.
    let values = text.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    let head = request("/?" + (values.first ?? ""), values.map { ("X-Imei", $0) })
    #expect(
      with.inspect(head: head, direction: .request)
        == without.inspect(head: head, direction: .request)
    )
  }

  @Test("A pattern is found where trying every place finds it", arguments: 0..<60)
  func patterns(seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    let alphabet = Array("ab@%40".utf8)
    for _ in 0..<20 {
      // Sets of one byte make an anchor; without, the window is read backwards.
      let sequence = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
        ByteSet(alphabet.shuffled(using: &generator).prefix(.random(in: 1...3, using: &generator)))
      }
      let text = Bytes(
        (0..<Int.random(in: 0...300, using: &generator)).map { _ in
          Int.random(in: 0..<4, using: &generator) == 0
            ? alphabet.randomElement(using: &generator) ?? 0 : 0x7A
        }
      )
      let pattern = BytePattern(anyOf: [sequence])
      for position in 0..<text.count + 2 {
        let expected = (position..<max(position, text.count - sequence.count + 1)).first { start in
          sequence.indices.allSatisfy { sequence[$0].contains(text[start + $0]) }
        }
        #expect(text.withSpan { pattern.first(in: $0, from: position) } == expected)
      }
    }
  }

  @Test("A long pattern of bytes that are alike is found where trying every place finds it")
  func longPatterns() {
    var generator = SeededGenerator(state: 7)
    let alphabets = ["0123456789", "0123456789abcdef:-", "az09\u{7F}"].map { Array($0.utf8) }
    for round in 0..<300 {
      let alphabet = alphabets[round % alphabets.count]
      let sequence = (0..<Int.random(in: 8...20, using: &generator)).map { _ in
        ByteSet(alphabet.shuffled(using: &generator).prefix(.random(in: 2...9, using: &generator)))
      }
      var array = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
        Bool.random(using: &generator)
          ? alphabet.randomElement(using: &generator) ?? 0
          : UInt8.random(in: 0...255, using: &generator)
      }
      // One that is there, wherever there is room for it.
      if let place = (0..<max(0, array.count - sequence.count + 1)).randomElement(using: &generator)
      {
        for (offset, set) in sequence.enumerated() {
          array[place + offset] = alphabet.first { set.contains($0) } ?? 0
        }
      }
      let text = Bytes(array)
      let pattern = BytePattern(anyOf: [sequence])
      for position in 0..<text.count + 2 {
        let expected = (position..<max(position, text.count - sequence.count + 1)).first { start in
          sequence.indices.allSatisfy { sequence[$0].contains(text[start + $0]) }
        }
        #expect(text.withSpan { pattern.first(in: $0, from: position) } == expected)
      }
    }
  }

  @Test("Only the first places of a long sequence are asked for")
  func longSequence() {
    let trigger = Trigger([ByteSet](repeating: .digits, count: 40))
    #expect(trigger.sequences[0].count == Trigger.longest)
    let group = TriggerGroup(trigger, [0], reach: 40)
    let digits = Bytes([UInt8](repeating: 0x37, count: Trigger.longest))
    #expect(digits.withSpan { group.mayMatch($0) })
    #expect(!digits.dropping(first: 1).withSpan { group.mayMatch($0) })
  }

  @Test("Several sequences are found together where trying each at every place finds one")
  func together() {
    var generator = SeededGenerator(state: 11)
    let alphabets = ["0123456789", "01 -/().", "ab@%40", "abc"].map { Array($0.utf8) }
    for round in 0..<400 {
      let alphabet = alphabets[round % alphabets.count]
      // Of a set of one byte each at the same place an anchor is made, if there are two of them at most.
      let anchors = round % 3 == 0 ? alphabet.shuffled(using: &generator).prefix(2) : []
      let sequences = (0..<Int.random(in: 2...4, using: &generator)).map { _ in
        let count = Int.random(in: 2...(round % 2 == 0 ? 20 : 9), using: &generator)
        return (0..<count).map { place in
          if place == 1, let byte = anchors.randomElement(using: &generator) {
            return ByteSet([byte])
          }
          let size = Int.random(in: 1...4, using: &generator)
          return ByteSet(alphabet.shuffled(using: &generator).prefix(size))
        }
      }
      let array = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
        Int.random(in: 0..<5, using: &generator) > 0
          ? alphabet.randomElement(using: &generator) ?? 0
          : UInt8.random(in: 0...255, using: &generator)
      }
      let isAt = { (start: Int) in
        sequences.contains { sequence in
          start + sequence.count <= array.count
            && sequence.indices.allSatisfy { sequence[$0].contains(array[start + $0]) }
        }
      }
      let text = Bytes(array)
      let pattern = BytePattern(anyOf: sequences)
      #expect(pattern.count == sequences.map(\.count).min())
      var expected = [Int?](repeating: nil, count: array.count + 2)
      for start in array.indices.reversed() {
        expected[start] = isAt(start) ? start : expected[start + 1]
      }
      for position in 0..<array.count + 2 {
        #expect(text.withSpan { pattern.first(in: $0, from: position) } == expected[position])
      }
    }
  }

  @Test("Ranges are disjoint, in order, and begin a longest match before their trigger")
  func ranges() {
    let group = TriggerGroup(Trigger(["@"]), [0], reach: 10)
    var array = [UInt8](repeating: 0x61, count: 1_000)
    for place in [3, 4, 400, 405, 900, 999] { array[place] = 0x40 }
    let text = Bytes(array)
    let ranges = { (starts: Range<Int>) in text.withSpan { group.ranges(in: $0, starts) } }
    #expect(ranges(0..<1_000) == [0..<5, 390..<406, 890..<1_000])
    #expect(ranges(500..<800).isEmpty)
    #expect(ranges(399..<401) == [399..<401])
  }

  /// Lines of values, whole, broken and crowded, among filler of several kinds.
  private static func text(_ generator: inout SeededGenerator) -> Bytes {
    let values = [
      "353918057012342", "3539180570123420", "imei%22%3A%22353918057012342%22",
      "8988692000000123456",
      "did=353918057012342", "a@post.test", "some.one+x%40mail.post.test", "q@a.bc", "b@", "%40",
      "mac:94:ce:c4:87:67:0f", "94-CE-C4-87-67-0E", "94:ce:c4:87:67:0f:aa",
      "bssid\":\"96:ce:c4:87:67:0f",
      "TW-004213", "TW-0042137", "ticket=TW-118200",
      // As long as they may be, so that a match begins far before its trigger and ends far after.
      "\(String(repeating: "l", count: 64))@\(String(repeating: "d", count: 95)).test",
      "\(String(repeating: "l", count: 65))%40\(String(repeating: "d", count: 96)).test",
    ]
    let alphabets = ["0123456789", "0123456789abcdef:-", "abcdefgh ,.", "{}[]\":,&=%@"].map {
      Array($0.utf8)
    }
    var text: [UInt8] = []
    for _ in 0..<60 {
      text += (values.randomElement(using: &generator) ?? "").utf8
      let alphabet = alphabets.randomElement(using: &generator) ?? []
      let count = Int.random(in: 0...4, using: &generator) == 0 ? 600 : 6
      for _ in 0..<Int.random(in: 0...count, using: &generator) {
        text.append(alphabet.randomElement(using: &generator) ?? 0)
      }
      text.append([0x20, 0x22, 0x0A].randomElement(using: &generator) ?? 0)
    }
    return Bytes(text)
  }
}
