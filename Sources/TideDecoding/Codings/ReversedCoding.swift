public import TideCore

/// Text written backwards, where that shows: base64 padding or a closing bracket comes first; or a pair of
/// decimal numbers, which may be a position.
public struct ReversedCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "reversed"

  /// It goes by what a value looks like.
  public let reopening = Reopening.ifPlausible

  /// Makes one.
  public init() {}

  /// Whether the edges are those of structured text turned round.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    guard shape.count >= 8, context.around.last != Self.id else { return false }
    if Self.mayBePair(shape) { return true }
    switch (shape.first, shape.last) {
    case (0x7D, 0x7B), (0x5D, 0x5B), (0x3E, 0x3C): return true
    // ==QM… or the `=` of base64: nothing else begins so.
    case (0x3D, _): return shape.classes.isSubset(of: .base64)
    // https://… and http://… end in `h` now.
    case (_, 0x68): return shape.classes.isSuperset(of: [.bracket, .slash])
    default: return false
    }
  }

  /// The text the right way round.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    let isPair = Self.mayBePair(Shape(bytes))
    guard budget.goOn(bytes.count), isPair ? Self.isPair(bytes) : Self.showsItself(bytes),
      let value = Self.turned(bytes), budget.spend(bytes: value.count)
    else { return nil }
    return Layer(decoder: Self.id, names: [Self.id], of: bytes, value: value, isCertain: !isPair)
  }

  /// The new text backwards.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let value = values[0] else { return bytes }
    return Self.turned(value)
  }

  /// Whether there is nothing but what two decimal numbers are written with.
  private static func mayBePair(_ shape: Shape) -> Bool {
    let needed: ByteClasses = [.digit, .dot, .separator]
    return (13...48).contains(shape.count) && shape.classes.isSuperset(of: needed)
      && shape.classes.isSubset(of: needed.union([.hyphen, .space]))
  }

  /// Whether these are two numbers that are plausible backwards alone: each with four digits or more before
  /// its dot and up to three behind it.
  private static func isPair(_ bytes: Bytes) -> Bool {
    let numbers = bytes.split { ![0x2D, 0x2E].contains($0) && !ASCII.isDigit($0) }
    guard numbers.count == 2 else { return false }
    return numbers.allSatisfy { number in
      guard let dot = number.firstIndex(of: 0x2E) else { return false }
      let behind = number[dot...].dropFirst()
      let places = behind.last == 0x2D ? behind.dropLast() : behind
      return number[..<dot].count >= 4 && number[..<dot].allSatisfy(ASCII.isDigit)
        && (1...3).contains(places.count) && places.allSatisfy(ASCII.isDigit)
    }
  }

  private static func showsItself(_ bytes: Bytes) -> Bool {
    switch bytes.first {
    // At most two (RFC 4648 §4), then digits.
    case 0x3D:
      guard let digit = bytes.firstIndex(where: { $0 != 0x3D }) else { return false }
      return digit <= 2 && bytes.count & 3 == 0 && bytes.lastIndex(of: 0x3D) == digit - 1
    case 0x7D, 0x5D:
      // An object's first name, a list's first member: `"` or `{` follows the bracket.
      let second = bytes.dropLast().last { $0 > 0x20 }
      return second == 0x22 || second == 0x7B || second == 0x7D || bytes.last == 0x5B
    case 0x3E: return true
    default:
      return bytes.suffix(8).elementsEqual("//:sptth".utf8)
        || bytes.suffix(7).elementsEqual("//:ptth".utf8)
    }
  }

  /// Turns a text round by characters, or, if that makes sense instead, by bytes; nil if neither does.
  private static func turned(_ bytes: Bytes) -> Bytes? {
    if bytes.allSatisfy({ $0 < 0x80 }) { return Bytes(Array(bytes.reversed())) }
    var turned: [UInt8] = []
    turned.reserveCapacity(bytes.count)
    var end = bytes.count
    while end > 0 {
      let count = (1...4).first { count in
        count <= end && UTF8.length(bytes, at: end - count) == count
      }
      guard let count else {
        let backwards = Bytes(Array(bytes.reversed()))
        return Plausible.text(backwards) == nil ? nil : backwards
      }
      turned.append(contentsOf: bytes.slice(end - count..<end))
      end -= count
    }
    return Bytes(turned)
  }
}
