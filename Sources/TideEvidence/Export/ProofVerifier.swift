internal import TideCore
internal import TideCrypto

/// What checking a proof came to.
public struct ProofReport: Sendable {
  /// `INTACT`, or `ALTERED (what)`.
  public let summary: String
  /// Whether it is right.
  public let isGood: Bool
  /// What it proves, one statement a line; empty if it is not right.
  public let statements: [String]

  /// The statements, then the summary.
  public var text: String { (self.statements + [self.summary]).joined(separator: "\n") + "\n" }

  /// One JSON object: `summary statements`.
  public var json: [UInt8] {
    var json = JSONWriter()
    json.beginObject()
    json.member("summary", self.summary)
    json.member("statements", self.statements)
    json.endObject()
    return json.bytes
  }
}

/// Checks the proof of one flow, with nothing but the file (docs/proofs.md).
public enum ProofVerifier {
  /// Whether a file begins as a proof does.
  public static func isProof(_ path: String) -> Bool {
    guard !Folder.isFolder(path), let size = Folder.size(of: path), size > 0,
      var file = try? FileReader(path: path, pieceSize: 256), let start = try? file.next()
    else { return false }
    return start.prefix(ProofExporter.opening.count).elementsEqual(ProofExporter.opening)
  }

  /// Checks a proof, reading piece by piece.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - signer: the SHA-256 of the only key that may have signed, in hexadecimal; nil if any may.
  ///   - roots: those below which it must have a time-stamp; nil if it need not have one.
  /// - Returns: what it came to.
  /// - Throws: what the file system says; what the file says is in the report.
  public static func verify(
    _ path: String,
    signer: String? = nil,
    roots: TimestampRoots? = nil
  ) throws(EvidenceFailure) -> ProofReport {
    var check = ProofCheck(signer: signer, roots: roots)
    var file = try FileReader(path: path)
    var rest = Bytes()
    do throws(ProofCheck.Wrong) {
      while let piece = try Self.next(&file) {
        var piece = piece
        while let end = piece.firstIndex(of: 0x0A) {
          rest.append(piece.slice(0..<end - piece.startIndex))
          piece = piece.dropping(first: end - piece.startIndex + 1)
          try check.take(rest)
          rest = Bytes()
        }
        rest.append(piece)
        guard rest.count <= 1 << 30 else { throw .init("a line is too long") }
      }
      guard rest.isEmpty else { throw .init("the last line does not end") }
      let statements = try check.finish()
      return ProofReport(summary: "INTACT", isGood: true, statements: statements)
    } catch {
      return ProofReport(summary: "ALTERED (\(error.what))", isGood: false, statements: [])
    }
  }

  private static func next(_ file: inout FileReader) throws(ProofCheck.Wrong) -> Bytes? {
    do throws(EvidenceFailure) {
      return try file.next()
    } catch {
      throw .init(error.detail)
    }
  }
}
