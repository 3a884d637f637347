import TideCore

@testable import TideDecoding

/// Numbers that look random and are the same in every run.
struct SeededNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { self.state = seed }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    self.state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = self.state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

/// Opens with a budget that nothing small exhausts.
func opened(
  _ decoder: some LayerDecoder,
  _ bytes: Bytes,
  _ place: LayerContext.Place = .leaf,
  mediaType: String = "",
  boundary: Bytes? = nil
) -> Layer? {
  let context = LayerContext(place: place, mediaType: mediaType, boundary: boundary)
  guard decoder.mayOpen(Shape(bytes), context) else { return nil }
  var budget = DecodingBudget(bytes: 16 << 20, nodes: 1 << 20, depth: 8, ratio: 100)
  return decoder.open(bytes, context, &budget)
}

/// The leaves as `path=value`.
func leaves(_ layer: Layer?, _ bytes: Bytes) -> [String] {
  guard let layer else { return [] }
  return layer.nodes.indices.compactMap { index in
    layer.nodes[index].value(in: bytes).map { layer.path(of: index, in: bytes) + "=" + $0.text }
  }
}

/// What went wrong when every leaf was replaced by turns and by lots, and the result opened again.
func roundTripFaults(
  _ decoder: some LayerDecoder,
  _ bytes: Bytes,
  _ place: LayerContext.Place = .leaf,
  mediaType: String = "",
  boundary: Bytes? = nil,
  seed: UInt64 = 1,
  value: (LayerNode, Bytes, inout SeededNumbers) -> Bytes
) -> [String] {
  func open(_ bytes: Bytes) -> Layer? {
    opened(decoder, bytes, place, mediaType: mediaType, boundary: boundary)
  }
  guard let layer = open(bytes) else { return ["does not open: \(bytes.text)"] }
  var faults: [String] = []
  if decoder.close(layer, over: bytes, replacing: [:]) != bytes { faults.append("changes nothing") }
  let all = layer.nodes.indices.filter { !layer.nodes[$0].isGroup }
  let before = all.compactMap { layer.nodes[$0].value(in: bytes) }
  let same = decoder.close(
    layer,
    over: bytes,
    replacing: Dictionary(uniqueKeysWithValues: zip(all, before))
  )
  if same == nil { faults.append("refuses its own values: \(bytes.text)") }
  if let same, let again = open(same) {
    let values = again.nodes.compactMap { $0.value(in: same) }
    if values != before { faults.append("own values came back as others: \(same.text)") }
  }
  var numbers = SeededNumbers(seed)
  for round in 0..<8 {
    let chosen = all.filter { _ in round == 0 || numbers.next() % 3 == 0 }
    var wanted = before
    var changes: [Int: Bytes] = [:]
    for (place, index) in all.enumerated() where chosen.contains(index) {
      let new = value(layer.nodes[index], before[place], &numbers)
      wanted[place] = new
      changes[index] = new
    }
    guard let closed = decoder.close(layer, over: bytes, replacing: changes) else {
      faults.append("does not close: \(bytes.text) \(changes)")
      continue
    }
    guard let again = open(closed) else {
      faults.append("does not open again: \(closed.text)")
      continue
    }
    let values = again.nodes.compactMap { $0.value(in: closed) }
    if values != wanted { faults.append("\(wanted) came back as \(values) in \(closed.text)") }
  }
  return faults
}

/// A value of the same kind: other digits for digits, other text for text.
func otherValue(_ node: LayerNode, _ old: Bytes, _ numbers: inout SeededNumbers) -> Bytes {
  if node.form == .number { return Bytes(String(numbers.next() % 999_999_999 + 1)) }
  let texts: [Bytes] = [
    "490154203237518", "a b&c=d;e,f/g?h#i%41+", "Bogdan \"Bo\" O'Neil <b@x.example>",
    "\u{6797}\u{5C0F}\u{660E}\u{1F600}", "line\u{2028}two", "back\\slash/and",
  ]
  return texts[Int(numbers.next() % UInt64(texts.count))]
}
