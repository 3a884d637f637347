import Testing
import TideCore
import TideDecoding

/// Replaces leaves at random, closes, opens again, and expects the changes and nothing else.
func checkRandomChanges(
  _ decoder: some LayerDecoder,
  _ bytes: Bytes,
  _ context: LayerContext,
  _ random: inout SeededRandom
) throws {
  let opened = try #require(Opened(decoder, bytes, context))
  #expect(opened.isOrdered)
  #expect(decoder.close(opened.layer, over: bytes, replacing: [:]) == bytes)
  for _ in 0..<3 {
    var values: [Int: Bytes] = [:]
    for (index, node) in opened.layer.nodes.enumerated() where !node.isGroup {
      guard Bool.random(using: &random) else { continue }
      values[index] =
        switch node.form {
        case .text: Bytes("T" + random.text(.random(in: 0...300, using: &random)))
        case .bytes: Bytes(random.bytes(.random(in: 0...300, using: &random)))
        case .number: Bytes(String(Int64.random(in: 0...Int64.max, using: &random)))
        case .varint, .fixed32, .fixed64: Bytes(String(UInt32.random(in: 0...9, using: &random)))
        case .float32: Bytes(Float.random(in: 1...180, using: &random).description)
        case .float64: Bytes(Double.random(in: 1...180, using: &random).description)
        }
    }
    let closed = try #require(decoder.close(opened.layer, over: bytes, replacing: values))
    let again = try #require(Opened(decoder, closed, context))
    #expect(again.isOrdered)
    #expect(again.layer.nodes.count == opened.layer.nodes.count)
    for (index, (old, new)) in zip(opened.layer.nodes, again.layer.nodes).enumerated() {
      #expect(old.parent == new.parent)
      #expect(opened.layer.path(of: index, in: bytes) == again.layer.path(of: index, in: closed))
      #expect(new.value(in: closed) == values[index] ?? old.value(in: bytes))
    }
  }
}

/// Changes bytes at random, and expects answers in order.
func checkDamage(
  _ decoder: some LayerDecoder,
  _ bytes: Bytes,
  _ context: LayerContext,
  _ random: inout SeededRandom
) {
  for turn in 0..<1_500 {
    var damaged = bytes.array
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let place = Int.random(in: 0..<damaged.count, using: &random)
      damaged[place] = UInt8.random(in: 0...255, using: &random)
    }
    if turn % 3 == 0 { damaged.removeLast(Int.random(in: 0...damaged.count, using: &random)) }
    guard let opened = Opened(decoder, Bytes(damaged), context) else { continue }
    #expect(opened.isOrdered)
    let values = opened.layer.nodes.indices.filter { !opened.layer.nodes[$0].isGroup }
      .map { ($0, Bytes("17")) }
    _ = decoder.close(
      opened.layer,
      over: opened.bytes,
      replacing: Dictionary(uniqueKeysWithValues: values)
    )
  }
}

/// How many of many runs of random bytes the decoder takes for its own.
func countByChance(_ decoder: some LayerDecoder, _ random: inout SeededRandom) -> Int {
  var taken = 0
  for turn in 0..<6_000 {
    let bytes = Bytes(random.bytes([6, 8, 16, 20, 32, 64, 256, 300][turn % 8]))
    if Opened(decoder, bytes) != nil { taken += 1 }
  }
  return taken
}
