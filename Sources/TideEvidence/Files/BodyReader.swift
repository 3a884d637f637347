internal import TideCoding
internal import TideCore

/// Reads a content from bodies/, one frame at a time.
struct BodyReader: ~Copyable {
  private let path: String
  private var file: FileReader
  private var pending = Bytes()
  /// Where the next frame begins in the file.
  private(set) var offset: UInt64 = 0

  init(root: String, sha256: String) throws(EvidenceFailure) {
    guard sha256.utf8.count == 64, sha256.utf8.allSatisfy({ ASCII.hexValue($0) != nil }) else {
      throw EvidenceFailure(.notFound, detail: "not the SHA-256 of a body: \(sha256.prefix(80))")
    }
    let path = root + "/" + BodyLayout.relativePath(sha256)
    guard Folder.size(of: path) != nil else {
      throw EvidenceFailure(.notFound, detail: "\(path): there is no such body in the case")
    }
    try self.init(path: path)
  }

  /// Reads a file of frames, whatever its name.
  init(path: String) throws(EvidenceFailure) {
    // Most contents are small, and memory for more would cost more than reading them.
    self.file = try FileReader(path: path, pieceSize: BodyLayout.frameContent)
    self.path = path
  }

  /// The content of the next frame; nil at the end.
  mutating func next() throws(EvidenceFailure) -> Bytes? {
    while true {
      switch ZstandardFrame.length(of: self.pending) {
      case .known(let count) where count <= self.pending.count:
        let frame = self.pending.slice(0..<count)
        self.pending = self.pending.dropping(first: count)
        do throws(CodingFailure) {
          let content = try Zstd.decompress(frame, maxSize: BodyLayout.frameContent)
          self.offset += UInt64(count)
          return content
        } catch {
          throw EvidenceFailure(.malformed, detail: "\(self.path): \(error.detail)")
        }
      case .known(let count) where count > 4 * BodyLayout.frameContent:
        throw EvidenceFailure(.malformed, detail: "\(self.path): a frame is too large")
      case .known, .unknown:
        guard let piece = try self.file.next() else {
          guard self.pending.isEmpty else {
            throw EvidenceFailure(.malformed, detail: "\(self.path): its last frame is cut short")
          }
          return nil
        }
        self.pending.append(piece)
      case .malformed:
        throw EvidenceFailure(.malformed, detail: "\(self.path): not a Zstandard frame")
      }
    }
  }
}

/// Finds where a Zstandard frame ends without decoding it (RFC 8878 §3.1.1).
enum ZstandardFrame {
  enum Length: Equatable {
    case known(Int)
    /// More bytes are needed to tell.
    case unknown
    case malformed
  }

  static func length(of bytes: Bytes) -> Length {
    guard bytes.count >= 5 else { return .unknown }
    guard bytes[0] == 0x28, bytes[1] == 0xB5, bytes[2] == 0x2F, bytes[3] == 0xFD else {
      return .malformed
    }
    // Frame_Header_Descriptor (§3.1.1.1.1): content size flag, single segment, checksum, dictionary.
    let descriptor = bytes[4]
    let isSingleSegment = descriptor & 0x20 != 0
    let dictionarySize = [0, 1, 2, 4][Int(descriptor & 3)]
    let sizeSize = [isSingleSegment ? 1 : 0, 2, 4, 8][Int(descriptor >> 6)]
    var index = 5 + (isSingleSegment ? 0 : 1) + dictionarySize + sizeSize
    while true {
      guard index + 3 <= bytes.count else { return .unknown }
      // Block_Header (§3.1.1.2): last block, type, size; a run-length block holds one byte.
      let header = Int(bytes[index]) | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2]) << 16
      let type = header >> 1 & 3
      guard type != 3 else { return .malformed }
      index += 3 + (type == 1 ? 1 : header >> 3)
      if header & 1 != 0 { break }
    }
    return .known(index + (descriptor & 4 != 0 ? 4 : 0))
  }
}
