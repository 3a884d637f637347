internal import CQREncode

/// QR codes (ISO/IEC 18004) for a terminal: the phone's way to the onboarding page.
public enum QRCode {
  /// The modules of a code row by row, true where dark, without a quiet zone; nil if `text` does not fit.
  ///
  /// Error correction is the lowest: a screen has no creases, and the smallest code is read fastest.
  static func modules(_ text: String) -> [[Bool]]? {
    guard !text.isEmpty, !text.utf8.contains(0),
      let code = unsafe QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L)
    else { return nil }
    defer { unsafe QRcode_free(code) }
    let width = Int(unsafe code.pointee.width)
    guard width > 0, let data = unsafe code.pointee.data else { return nil }
    // The lowest bit of a module's byte is its colour; the others say what it is for.
    return (0..<width).map { row in
      (0..<width).map { column in unsafe data[row * width + column] & 1 == 1 }
    }
  }

  /// A code as lines of half blocks, two modules a character; nil if `text` is empty or over 2,953 bytes.
  ///
  /// Dark modules are black and light ones white whatever the terminal's theme, by colours 16 and 231
  /// of the 256, which themes leave alone: readers expect dark on light, and a quiet zone of four.
  public static func terminal(_ text: String) -> String? {
    guard let modules = Self.modules(text) else { return nil }
    let quiet = 4
    let side = modules.count + 2 * quiet
    func isDark(_ row: Int, _ column: Int) -> Bool {
      let inside = modules.indices
      guard inside.contains(row - quiet), inside.contains(column - quiet) else { return false }
      return modules[row - quiet][column - quiet]
    }
    return stride(from: 0, to: side, by: 2).map { row in
      let line = (0..<side).map { column in
        switch (isDark(row, column), isDark(row + 1, column)) {
        case (true, true): "█"
        case (true, false): "▀"
        case (false, true): "▄"
        case (false, false): " "
        }
      }
      return "\u{1B}[38;5;16;48;5;231m" + line.joined() + "\u{1B}[0m\n"
    }.joined()
  }
}
