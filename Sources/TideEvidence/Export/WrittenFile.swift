/// A file that an export wrote.
public struct WrittenFile: Sendable {
  /// Its name; `-` for standard output.
  public let path: String
  /// How many bytes.
  public let bytes: UInt64
  /// The SHA-256 of those bytes, in hexadecimal.
  public let sha256: String
}

extension JSONWriter {
  /// Writes the members `path bytes sha256`.
  mutating func members(of file: WrittenFile) {
    self.member("path", file.path)
    self.member("bytes", file.bytes)
    self.member("sha256", file.sha256)
  }
}
