import TideCore

/// Tells pictures, sound, film, fonts and archives by their first bytes, whatever is declared.
///
/// They are dense by nature: no layer in them is opened, and they are not opaque.
enum MediaMagic {
  /// Whether `bytes` begin as a known format does.
  static func isMedia(_ bytes: Bytes) -> Bool { bytes.withSpan { self.isMedia($0) } }

  private static func isMedia(_ span: Span<UInt8>) -> Bool {
    guard let first = span.isEmpty ? nil : span[0] else { return false }
    for prefix in self.byFirst[Int(first)] where self.holds(prefix, at: 0, span) { return true }
    guard span.count >= 12 else { return false }
    // ISO base media (ISO/IEC 14496-12 §4.3): a box length, then `ftyp`.
    if self.holds(self.box, at: 4, span) { return true }
    guard self.holds(self.riff, at: 0, span) else { return false }
    return self.riffKinds.contains { self.holds($0, at: 8, span) }
  }

  private static func holds(_ text: [UInt8], at start: Int, _ span: Span<UInt8>) -> Bool {
    guard span.count >= start + text.count else { return false }
    for index in text.indices where span[start + index] != text[index] { return false }
    return true
  }

  /// `prefixes` by their first byte: most text begins with none of them.
  private static let byFirst: [[[UInt8]]] = (0..<256).map { first in
    Self.prefixes.filter { Int($0[0]) == first }
  }

  private static let box = Array("ftyp".utf8)
  /// WebP, WAVE, AVI.
  private static let riff = Array("RIFF".utf8)
  private static let riffKinds = ["WEBP", "WAVE", "AVI "].map { Array($0.utf8) }

  /// First bytes, each long enough that chance does not make them.
  private static let prefixes: [[UInt8]] = [
    [0xFF, 0xD8, 0xFF],  // JPEG
    [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],  // PNG
    Array("GIF87a".utf8), Array("GIF89a".utf8),
    Array("OggS".utf8), Array("fLaC".utf8), [0x49, 0x44, 0x33],  // ID3
    [0x1A, 0x45, 0xDF, 0xA3],  // Matroska, WebM
    Array("wOFF".utf8), Array("wOF2".utf8), Array("OTTO".utf8), [0x00, 0x01, 0x00, 0x00, 0x00],
    Array("%PDF-".utf8), [0x50, 0x4B, 0x03, 0x04],  // ZIP, APK
    [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], Array("Rar!\u{1A}\u{07}".utf8),
    [0x64, 0x65, 0x78, 0x0A],  // Android's dex
    Array("#!AMR".utf8), Array("MThd".utf8), Array("FLV\u{01}".utf8),
    [0x49, 0x49, 0x2A, 0x00], [0x4D, 0x4D, 0x00, 0x2A],  // TIFF
    [0xFF, 0x0A, 0xFA], [0x00, 0x00, 0x00, 0x0C, 0x4A, 0x58, 0x4C, 0x20],  // JPEG XL
    [0x00, 0x00, 0x00, 0x0C, 0x6A, 0x50, 0x20, 0x20],  // JPEG 2000
    [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11],  // ASF: WMA, WMV
    Array("ttcf".utf8), Array("glTF".utf8), [0xAB, 0x4B, 0x54, 0x58, 0x20],  // KTX
    [0x00, 0x61, 0x73, 0x6D], [0x7F, 0x45, 0x4C, 0x46],  // WebAssembly, ELF
    [0x00, 0x00, 0x01, 0xBA], [0x00, 0x00, 0x01, 0xB3],  // MPEG
  ]
}
