internal import Foundation
import TideCore

/// One JSON document on one line, as pages and the control socket send it.
enum JSONLine {
  /// The document with sorted keys and a line feed at its end.
  ///
  /// Our documents hold text, whole numbers and Booleans, for which the encoder has no error.
  static func encode(_ document: some Encodable) -> Bytes {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return Bytes(Array(try encoder.encode(document)) + [0x0A])
    } catch {
      preconditionFailure("a document of text and numbers encodes: \(error)")
    }
  }
}
