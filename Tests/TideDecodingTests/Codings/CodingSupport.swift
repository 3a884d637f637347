import Testing
import TideCore
import TideCrypto
import TideDecoding

/// A budget that holds everything.
func ampleBudget() -> DecodingBudget {
  DecodingBudget(bytes: 8 << 20, nodes: 10_000, depth: 8, ratio: 100)
}

/// What one coding makes of bytes, asked as the analysis asks it.
func layer(
  _ decoder: any LayerDecoder,
  _ bytes: Bytes,
  around: [String] = [],
  keys: [PayloadKey] = []
) -> Layer? {
  let context = LayerContext(place: .leaf, around: around, keys: keys)
  guard decoder.mayOpen(Shape(bytes), context) else { return nil }
  var budget = ampleBudget()
  return decoder.open(bytes, context, &budget)
}

/// The one value that a coding makes of bytes; nil if it does not open them.
func value(
  _ decoder: any LayerDecoder,
  _ bytes: Bytes,
  around: [String] = [],
  keys: [PayloadKey] = []
) -> Bytes? {
  layer(decoder, bytes, around: around, keys: keys)?.nodes.first?.value(in: bytes)
}

/// Opens, replaces the one value, and opens again; the bytes with the replacement, if all that held.
///
/// With `anyName`, the second layer may be called otherwise: which alphabet it is shows only in two of
/// base64's digits.
func replaced(
  _ decoder: any LayerDecoder,
  _ bytes: Bytes,
  by value: Bytes,
  around: [String] = [],
  keys: [PayloadKey] = [],
  anyName: Bool = false
) throws -> Bytes {
  let opened = try #require(layer(decoder, bytes, around: around, keys: keys))
  let closed = try #require(decoder.close(opened, over: bytes, replacing: [0: value]))
  let again = try #require(layer(decoder, closed, around: around, keys: keys))
  #expect(again.nodes.first?.value(in: closed) == value)
  if !anyName { #expect(again.names == opened.names) }
  return closed
}

/// The bytes of hexadecimal digits.
func unhex(_ digits: String) throws -> Bytes {
  Bytes(try #require(Hex.decode(Array(digits.utf8))))
}

/// Texts as apps send them: objects, forms, prose, numbers.
func sampleText(_ numbers: inout SeededRandom) -> Bytes {
  let words = ["imei", "device", "王小明", "model", "Ünal", "a b", "tide+waiter", "x/y", "50%", "z"]
  let count = Int.random(in: 3...12, using: &numbers)
  let members = (0..<count).map { _ in
    (
      words.randomElement(using: &numbers) ?? "",
      UInt64.random(in: 0...999_999_999_999_999, using: &numbers)
    )
  }
  switch Int.random(in: 0...2, using: &numbers) {
  case 0:
    return Bytes("{" + members.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",") + "}")
  case 1: return Bytes(members.map { "\($0.0)=\($0.1)" }.joined(separator: "&"))
  default: return Bytes(members.map { "\($0.0) \($0.1)" }.joined(separator: ", "))
  }
}
