import TideCore
import TideDecoding

/// Writes values that look like others: as long, digits for digits and letters for letters.
struct Variation {
  private var state: UInt32

  /// Begins at `seed`: the same seed gives the same values.
  init(_ seed: UInt8) { self.state = UInt32(seed) &+ 1 }

  /// Another value of the same kind, or by chance the same.
  mutating func of(_ value: Bytes, _ form: LayerNode.Form) -> Bytes {
    var result: [UInt8] = []
    for (index, byte) in value.enumerated() {
      // An exponent stays: what is far too small for the format cannot be written.
      if byte == 0x65, form == .float32 || form == .float64 {
        return Bytes(result + value.dropping(first: index).array)
      }
      switch byte {
      // No leading zero: a number that begins with one is written otherwise.
      case 0x30...0x39: result.append(0x31 + UInt8(self.next(below: index == 0 ? 8 : 9)))
      case 0x61...0x7A where form == .text: result.append(0x61 + UInt8(self.next(below: 26)))
      case 0x41...0x5A where form == .text: result.append(0x41 + UInt8(self.next(below: 26)))
      default: result.append(form == .bytes ? UInt8(self.next(below: 256)) : byte)
      }
    }
    return Bytes(result)
  }

  private mutating func next(below bound: UInt32) -> UInt32 {
    self.state = self.state &* 1_664_525 &+ 1_013_904_223
    return (self.state >> 16) % bound
  }
}
