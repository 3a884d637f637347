import Support
import TideCore
import TideHTTP

/// Feeds frames to `WebSocketReader`.
///
/// The first byte says who sends them (bit 0: the client) and whether compression was agreed on (bit 1), the
/// second how they are cut; the rest is what a peer sends.
@main
enum WebSocketFuzz {
  static func main() { Fuzzing.run() }
}

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var script = unsafe Script(Fuzzing.input(start, count))
  let setup = script.byte()
  let seed = script.byte()
  let input = script.all()
  let whole = Reading(input, .whole, setup)
  whole.checkWriting()
  for cut in [Cut.single, .pieces(seed: seed)] {
    let other = Reading(input, cut, setup)
    require(other.failure == whole.failure, "\(cut): another failure")
    if whole.failure == nil {
      require(other.units == whole.units, "\(cut): other frames")
      require(other.raw == whole.raw, "\(cut): other bytes")
    } else {
      // How much of a payload was passed on before its fault was seen depends on how it came.
      require(
        other.raw.starts(with: whole.raw) || whole.raw.starts(with: other.raw),
        "\(cut): other bytes before the failure"
      )
    }
  }
  return 0
}

/// A frame in a form that does not depend on how its bytes were cut.
enum Unit: Equatable {
  case data(WebSocketFrame, payload: [UInt8], isWhole: Bool)
  case control(SocketMessage.Kind, payload: Bytes, raw: Bytes)
}

/// All that a reader made of an input, checked on the way.
struct Reading {
  private(set) var units: [Unit] = []
  /// Every piece's bytes as they came.
  private(set) var raw: [UInt8] = []
  private(set) var failure: WebSocketFailure.Code?
  private var isInMessage = false
  private var hasClosed = false

  init(_ input: Bytes, _ cut: Cut, _ setup: UInt8) {
    let isMasked = setup & 1 != 0
    var reader = WebSocketReader(
      from: isMasked ? .client : .server,
      allowsCompression: setup & 2 != 0
    )
    var pieces: [WebSocketPiece] = []
    do throws(WebSocketFailure) {
      for piece in cut.pieces(input) { try reader.receive(piece, &pieces) }
    } catch {
      self.failure = error.code
    }
    for piece in pieces { self.take(piece, isMasked: isMasked) }
    require(input.starts(with: self.raw), "what is passed on is not what came")
    require(reader.hasClosed == self.hasClosed, "hasClosed is wrong")
    if self.failure != nil {
      self.checkSilence(&reader)
    } else if !self.hasClosed {
      let held = input.count - self.raw.count
      require(held < 14 + 125, "\(held) bytes are held back")
      let isBetween = held == 0 && !self.isInMessage && !self.isInFrame
      require(reader.isBetweenMessages == isBetween, "isBetweenMessages is wrong")
    }
  }

  private var isInFrame: Bool {
    if case .data(_, _, isWhole: false) = self.units.last { return true }
    return false
  }

  private mutating func take(_ piece: WebSocketPiece, isMasked: Bool) {
    require(!self.hasClosed, "a piece after the close frame")
    self.raw.append(contentsOf: piece.raw)
    switch piece {
    case .frame(let frame, let raw):
      require(!self.isInFrame, "a frame within a frame")
      require((2...14).contains(raw.count), "a header of \(raw.count) bytes")
      require((frame.mask != nil) == isMasked, "a mask that does not fit the sender")
      require(!frame.opcode.isControl, "a control frame as a data frame")
      require((frame.opcode == .continuation) == self.isInMessage, "a frame out of order")
      self.isInMessage = true
      self.units.append(.data(frame, payload: [], isWhole: false))
    case .payload(let bytes, let raw, let endsMessage, let endsFrame):
      guard case .data(let frame, var payload, isWhole: false) = self.units.last else {
        fail("a payload without a frame")
      }
      self.check(bytes, raw, frame, from: payload.count)
      payload.append(contentsOf: bytes)
      require(UInt64(payload.count) <= frame.payloadLength, "a payload over its length")
      require(
        endsFrame == (UInt64(payload.count) == frame.payloadLength),
        "a frame ends elsewhere than its length says"
      )
      require(!bytes.isEmpty || frame.payloadLength == 0, "an empty piece")
      require(endsMessage == (endsFrame && frame.isFinal), "a message ends elsewhere")
      if endsMessage { self.isInMessage = false }
      self.units[self.units.count - 1] = .data(frame, payload: payload, isWhole: endsFrame)
    case .control(let kind, let payload, let raw):
      require(!self.isInFrame, "a control frame within a frame")
      require(payload.count <= 125, "a control frame that is too long")
      self.units.append(.control(kind, payload: payload, raw: raw))
      self.hasClosed = kind == .close
    }
  }

  /// Checks the mask, octet by octet.
  private func check(_ bytes: Bytes, _ raw: Bytes, _ frame: WebSocketFrame, from start: Int) {
    require(bytes.count == raw.count, "unmasking changes the size")
    for index in bytes.indices {
      let key = UInt8(truncatingIfNeeded: (frame.mask ?? 0) >> UInt32(24 - (start + index) % 4 * 8))
      require(raw[index] == bytes[index] ^ key, "an octet is not unmasked")
    }
  }

  private func checkSilence(_ reader: inout WebSocketReader) {
    var pieces: [WebSocketPiece] = []
    var code: WebSocketFailure.Code?
    do throws(WebSocketFailure) { try reader.receive("\u{1}", &pieces) } catch { code = error.code }
    require(pieces.isEmpty && code == self.failure, "a failure that was forgotten")
    require(!reader.hasClosed, "failed and closed")
  }

  /// What was read whole is what the writer makes of it.
  func checkWriting() {
    var written: [UInt8] = []
    for unit in self.units {
      switch unit {
      case .data(let frame, let payload, isWhole: true):
        written.append(
          contentsOf: WebSocketWriter.frame(
            frame.opcode,
            Bytes(payload),
            isFinal: frame.isFinal,
            isCompressed: frame.isCompressed,
            mask: frame.mask
          )
        )
      case .control(let kind, let payload, let raw):
        let key = raw.slice(2..<raw.count - payload.count)
        let mask = key.isEmpty ? nil : key.reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        written.append(contentsOf: WebSocketWriter.frame(.init(kind), payload, mask: mask))
      case .data(_, _, isWhole: false): break  // the last, if any
      }
    }
    require(self.raw.starts(with: written), "what is written is not what was read")
  }
}
