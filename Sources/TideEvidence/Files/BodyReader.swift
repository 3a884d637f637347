internal import TideCoding
internal import TideCore
internal import TideCrypto

/// Reads a content from bodies/, one frame at a time.
struct BodyReader: ~Copyable {
  private let path: String
  private let keys: CaseKeys?
  /// What the end of an encrypted content must name; nil of what is unfinished, which need not have an end.
  private let name: [UInt8]?
  /// Of an encrypted content, once its number was read.
  private(set) var opener: BodyOpener?
  private var file: FileReader
  private var pending = Bytes()
  /// Where the next frame begins in the file.
  private(set) var offset: UInt64 = 0

  init(root: String, sha256: String, keys: CaseKeys?) throws(EvidenceFailure) {
    guard sha256.utf8.count == 64, let digest = Hex.decode(sha256.utf8) else {
      throw EvidenceFailure(.notFound, detail: "not the SHA-256 of a body: \(sha256.prefix(80))")
    }
    let path = root + "/" + BodyLayout.relativePath(sha256, keys)
    guard Folder.size(of: path) != nil else {
      throw EvidenceFailure(.notFound, detail: "\(path): there is no such body in the case")
    }
    try self.init(path: path, keys: keys, name: keys?.name(of: digest))
  }

  /// Reads a file of frames that may be unfinished, whatever its name.
  init(unfinished path: String, keys: CaseKeys?) throws(EvidenceFailure) {
    try self.init(path: path, keys: keys, name: nil)
  }

  private init(path: String, keys: CaseKeys?, name: [UInt8]?) throws(EvidenceFailure) {
    // Most contents are small, and memory for more would cost more than reading them.
    self.file = try FileReader(path: path, pieceSize: BodyLayout.frameContent)
    self.path = path
    self.keys = keys
    self.name = name
  }

  /// The content of the next frame; nil at the end.
  mutating func next() throws(EvidenceFailure) -> Bytes? {
    if let keys = self.keys { return try self.nextOpened(keys) }
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
          throw self.malformed(error.detail)
        }
      case .known(let count) where count > 4 * BodyLayout.frameContent:
        throw self.malformed("a frame is too large")
      case .known, .unknown:
        guard let piece = try self.file.next() else {
          guard self.pending.isEmpty else {
            throw self.malformed("its last frame is cut short")
          }
          return nil
        }
        self.pending.append(piece)
      case .malformed:
        throw self.malformed("not a Zstandard frame")
      }
    }
  }

  /// The same of an encrypted content.
  private mutating func nextOpened(_ keys: CaseKeys) throws(EvidenceFailure) -> Bytes? {
    if self.opener == nil {
      guard try self.fill(SealedBody.numberByteCount) else {
        guard self.name == nil else { throw self.malformed("its beginning is cut short") }
        return nil
      }
      self.opener = BodyOpener(keys, number: self.take(SealedBody.numberByteCount).array)
      self.offset = UInt64(SealedBody.numberByteCount)
    }
    guard try self.fill(SealedBody.lengthByteCount) else {
      guard self.name == nil, self.pending.isEmpty else {
        throw self.malformed("its end is cut off")
      }
      return nil
    }
    let count = self.pending.prefix(SealedBody.lengthByteCount).reduce(0) { $0 << 8 | Int($1) }
    guard count >= AEAD.tagByteCount, count <= 4 * BodyLayout.frameContent,
      try self.fill(SealedBody.lengthByteCount + count)
    else { throw self.malformed("its last frame is cut short, or none of ours") }
    _ = self.take(SealedBody.lengthByteCount)
    let sealed = self.take(count)
    guard count > AEAD.tagByteCount else {
      let isEnd = self.name.map { self.opener?.isEnd(sealed, name: $0) ?? false } ?? true
      guard isEnd, try !self.fill(1) else { throw self.malformed("its end is not its own") }
      return nil
    }
    guard let frame = self.opener?.open(sealed),
      ZstandardFrame.length(of: frame) == .known(frame.count)
    else { throw self.malformed("a frame was altered, or is of another file") }
    do throws(CodingFailure) {
      let content = try Zstd.decompress(frame, maxSize: BodyLayout.frameContent)
      self.offset += UInt64(SealedBody.lengthByteCount + count)
      return content
    } catch {
      throw self.malformed(error.detail)
    }
  }

  /// Whether that many bytes are there, after reading on if need be.
  private mutating func fill(_ count: Int) throws(EvidenceFailure) -> Bool {
    while self.pending.count < count {
      guard let piece = try self.file.next() else { return false }
      self.pending.append(piece)
    }
    return true
  }

  private mutating func take(_ count: Int) -> Bytes {
    let taken = self.pending.slice(0..<count)
    self.pending = self.pending.dropping(first: count)
    return taken
  }

  private func malformed(_ what: String) -> EvidenceFailure {
    EvidenceFailure(.malformed, detail: "\(self.path): \(what)")
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
