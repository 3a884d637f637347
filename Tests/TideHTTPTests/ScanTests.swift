import TideCore
import Testing

@testable import TideHTTP

@Suite struct ScanTests {
  /// Where both scans stop in `bytes`, from each position on, and where they have to.
  func check(_ bytes: [UInt8]) {
    for start in 0...bytes.count {
      let rest = bytes[start...]
      let fieldEnd = rest.firstIndex { !Octet.isFieldText($0) } ?? bytes.count
      let targetEnd = rest.firstIndex { !Octet.isTargetText($0) } ?? bytes.count
      #expect(bytes.span.endOfFieldText(from: start) == fieldEnd, "\(bytes) from \(start)")
      #expect(bytes.span.endOfTargetText(from: start) == targetEnd, "\(bytes) from \(start)")
    }
  }

  @Test("A scan stops at the first octet that does not belong, wherever in a word it lies")
  func everyOctetAtEveryPlace() {
    for position in 0..<10 {
      for octet in UInt8.min...UInt8.max {
        var bytes = [UInt8](repeating: 0x61, count: 10)
        bytes[position] = octet
        let fieldEnd = Octet.isFieldText(octet) ? 10 : position
        let targetEnd = Octet.isTargetText(octet) ? 10 : position
        #expect(bytes.span.endOfFieldText(from: 0) == fieldEnd)
        #expect(bytes.span.endOfTargetText(from: 0) == targetEnd)
      }
    }
  }

  @Test("A scan is not misled by the octets around the one that stops it")
  func neighbours() {
    var generator = Seeded(state: 5)
    let octets: [UInt8] = [0x00, 0x08, 0x09, 0x0D, 0x1F, 0x20, 0x21, 0x7E, 0x7F, 0x80, 0x9F, 0xFF]
    for _ in 0..<300 {
      self.check((0..<20).compactMap { _ in octets.randomElement(using: &generator) })
      self.check((0..<20).map { _ in UInt8.random(in: 0x09...0xFF, using: &generator) })
    }
  }
}
