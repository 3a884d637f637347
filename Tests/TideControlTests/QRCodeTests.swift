import Testing

@testable import TideControl

/// Reads a code of version 1 to 5 at the lowest correction level, which is one block of codewords.
///
/// Written from ISO/IEC 18004 and not from the encoder: no error correction, since a screen has none.
private struct CodeReader {
  private let modules: [[Bool]]
  private let side: Int

  init(_ modules: [[Bool]]) {
    self.modules = modules
    self.side = modules.count
  }

  /// The text of a code in byte mode.
  func text() -> String? {
    let bits = self.dataBits()
    func number(_ range: Range<Int>) -> Int { bits[range].reduce(0) { $0 << 1 | ($1 ? 1 : 0) } }
    guard bits.count > 12, number(0..<4) == 0b0100 else { return nil }
    let count = number(4..<12)
    guard bits.count >= 12 + 8 * count else { return nil }
    let bytes = (0..<count).map { UInt8(number(12 + 8 * $0..<20 + 8 * $0)) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The mask's number: three bits beside the upper left finder, XORed with the fixed 101.
  private var mask: Int {
    [2, 3, 4].reduce(0) { $0 << 1 | (self.modules[8][$1] ? 1 : 0) } ^ 0b101
  }

  private func isFunction(_ row: Int, _ column: Int) -> Bool {
    if row == 6 || column == 6 { return true }
    if row < 9, column < 9 || column >= self.side - 8 { return true }
    if row >= self.side - 8, column < 9 { return true }
    // One alignment pattern from version 2 on, centred seven from the lower right corner.
    let centre = self.side - 7
    return self.side > 21 && abs(row - centre) <= 2 && abs(column - centre) <= 2
  }

  private func isMasked(_ row: Int, _ column: Int) -> Bool {
    switch self.mask {
    case 0: (row + column) % 2 == 0
    case 1: row % 2 == 0
    case 2: column % 3 == 0
    case 3: (row + column) % 3 == 0
    case 4: (row / 2 + column / 3) % 2 == 0
    case 5: row * column % 2 + row * column % 3 == 0
    case 6: (row * column % 2 + row * column % 3) % 2 == 0
    default: ((row + column) % 2 + row * column % 3) % 2 == 0
    }
  }

  /// Two columns at a time from the right, upwards and downwards in turn, the timing column skipped.
  private func dataBits() -> [Bool] {
    var bits: [Bool] = []
    var right = self.side - 1
    var isUpwards = true
    while right > 0 {
      if right == 6 { right = 5 }
      for step in 0..<self.side {
        let row = isUpwards ? self.side - 1 - step : step
        for column in [right, right - 1] where !self.isFunction(row, column) {
          bits.append(self.modules[row][column] != self.isMasked(row, column))
        }
      }
      isUpwards.toggle()
      right -= 2
    }
    return bits
  }
}

@Suite struct QRCodeTests {
  /// What a camera sees: the modules of the drawn lines, true where dark.
  private static func seen(_ drawing: String) -> [[Bool]] {
    drawing.split(separator: "\n").flatMap { line -> [[Bool]] in
      let start = "\u{1B}[38;5;16;48;5;231m"
      let end = "\u{1B}[0m"
      guard line.hasPrefix(start), line.hasSuffix(end) else { return [] }
      let blocks = line.dropFirst(start.count).dropLast(end.count)
      return [blocks.map { "█▀".contains($0) }, blocks.map { "█▄".contains($0) }]
    }
  }

  @Test(
    "What is drawn decodes to the text",
    arguments: [
      "http://192.0.2.1:80", "http://192.168.100.100:8080", "http://[2001:db8::1234:5678]:8080",
      "http://203.0.113.254:65535/?lang=zh-TW", "繁體中文",
    ]
  )
  func roundTrip(text: String) throws {
    let drawing = try #require(QRCode.terminal(text))
    let seen = Self.seen(drawing)
    let width = try #require(seen.first?.count)
    #expect(seen.allSatisfy { $0.count == width })
    // The quiet zone: four light modules on every side.
    let inner = 4..<width - 4
    for row in seen.indices {
      for column in 0..<width where !inner.contains(row) || !inner.contains(column) {
        #expect(!seen[row][column])
      }
    }
    let modules = seen[inner].map { Array($0[inner]) }
    #expect(CodeReader(modules).text() == text)
  }

  @Test("Text that fits no code, or is none, draws nothing")
  func unfit() {
    #expect(QRCode.terminal("") == nil)
    #expect(QRCode.terminal("a\u{0}b") == nil)
    #expect(QRCode.terminal(String(repeating: "x", count: 2_953)) != nil)
    #expect(QRCode.terminal(String(repeating: "x", count: 2_954)) == nil)
  }
}
