import Glibc

/// An encoding of Han characters that is not Unicode's, by the C library's tables.
enum HanCharset: String, Hashable, CaseIterable {
  case gb18030
  case big5

  /// Text in UTF-8 in this encoding; nil if a character is missing there, or it is ASCII in both.
  func encode(_ text: [UInt8]) -> [UInt8]? {
    guard text.contains(where: { $0 >= 0x80 }) else { return nil }
    // Opened for each text and closed: this is done a few hundred times when a plan is made.
    let converter = unsafe iconv_open(self.rawValue, "UTF-8")
    // iconv_open says (iconv_t)-1 where a table is not installed.
    guard let converter = unsafe converter, Int(bitPattern: converter) != -1 else {
      return nil
    }
    defer { unsafe iconv_close(converter) }
    var input = text.map(CChar.init(bitPattern:))
    // GB18030 needs at most four bytes for a character, UTF-8 at least one.
    var output = [CChar](repeating: 0, count: text.count * 4)
    var inputLeft = input.count
    var outputLeft = output.count
    let status = unsafe input.withUnsafeMutableBufferPointer { input in
      unsafe output.withUnsafeMutableBufferPointer { output in
        var from = input.baseAddress
        var to = output.baseAddress
        return unsafe iconv(converter, &from, &inputLeft, &to, &outputLeft)
      }
    }
    guard status == 0, inputLeft == 0 else { return nil }
    return output.prefix(output.count - outputLeft).map(UInt8.init(bitPattern:))
  }
}
