private import Glibc
public import TideCore

/// The two character sets of Chinese text besides Unicode, converted by the system's `iconv`.
public enum Charset: String, CaseIterable, Sendable {
  /// GB 18030, which contains GBK and GB 2312.
  case gb18030
  /// Big5 with the extensions of code page 950.
  case big5

  /// What glibc calls it.
  private var systemName: String {
    switch self {
    case .gb18030: "GB18030"
    case .big5: "CP950"
    }
  }

  /// The UTF-8 of `text`; nil if it is not wholly of this set, or the system does not know the set.
  public func decode(_ text: Bytes) -> Bytes? {
    // Two bytes of either set are at most three of UTF-8; four are four.
    Conversion(from: self.systemName, to: "UTF-8")?.convert(text, room: text.count * 2 + 4)
  }

  /// `text`, which is UTF-8, in this set; nil if it has characters that the set lacks.
  public func encode(_ text: Bytes) -> Bytes? {
    Conversion(from: "UTF-8", to: self.systemName)?.convert(text, room: text.count * 2 + 4)
  }
}

/// Owns one conversion descriptor.
@safe
private struct Conversion: ~Copyable {
  private let descriptor: iconv_t

  /// Opens a descriptor; nil if the system lacks one of the sets.
  init?(from source: String, to target: String) {
    guard let descriptor = unsafe iconv_open(target, source),
      // iconv_open(3): (iconv_t) -1 is failure.
      Int(bitPattern: descriptor) != -1
    else { return nil }
    unsafe self.descriptor = descriptor
  }

  deinit { unsafe iconv_close(self.descriptor) }

  /// Converts a whole text; nil if any of it cannot be, or there is not room enough.
  func convert(_ text: Bytes, room capacity: Int) -> Bytes? {
    var isWhole = false
    let converted = unsafe Bytes(capacity: capacity) { room in
      unsafe text.withUnsafeBytes { input in
        // iconv reads through a pointer that C declares mutable and does not write to.
        var source: UnsafeMutablePointer<CChar>? = unsafe UnsafeMutablePointer(
          mutating: input.bindMemory(to: CChar.self).baseAddress
        )
        var left = input.count
        var target = unsafe room.bindMemory(to: CChar.self).baseAddress
        var free = capacity
        let irreversible = unsafe iconv(self.descriptor, &source, &left, &target, &free)
        isWhole = irreversible == 0 && left == 0
        return isWhole ? capacity - free : 0
      }
    }
    return isWhole ? converted : nil
  }
}
