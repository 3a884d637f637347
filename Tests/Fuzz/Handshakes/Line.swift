import TideCore
import TideTLS

/// Carries bytes between a client's and a server's session until neither has any, well or badly.
struct Line {
  /// What becomes of what one side sends, counted from its first byte.
  enum Damage {
    case none
    /// Nothing after that many bytes arrives.
    case cut(Int)
    /// One byte is another.
    case flip(at: Int, by: UInt8)
    /// From there on comes something else.
    case noise(from: Int, [UInt8])
  }

  let client: TLSSession
  let server: TLSSession
  /// The most bytes that are handed over at once.
  var pieceLimit = Int.max
  /// What becomes of what the client sends.
  var upward = Damage.none
  /// What becomes of what the server sends.
  var downward = Damage.none

  private(set) var clientReceived: [Bytes] = []
  private(set) var serverReceived: [Bytes] = []
  private(set) var clientFailure: TLSFailure?
  private(set) var serverFailure: TLSFailure?
  private var carriedUp = 0
  private var carriedDown = 0

  init(client: TLSSession, server: TLSSession) {
    self.client = client
    self.server = server
  }

  var isEstablished: Bool { self.client.isEstablished && self.server.isEstablished }

  mutating func run() {
    while self.client.hasOutput || self.server.hasOutput {
      let up = Self.carry(self.client.takeOutput(), &self.carriedUp, self.upward)
      for piece in self.pieces(up) {
        do throws(TLSFailure) {
          try self.server.receive(piece, &self.serverReceived)
        } catch {
          self.serverFailure = error
        }
      }
      let down = Self.carry(self.server.takeOutput(), &self.carriedDown, self.downward)
      for piece in self.pieces(down) {
        do throws(TLSFailure) {
          try self.client.receive(piece, &self.clientReceived)
        } catch {
          self.clientFailure = error
        }
      }
    }
  }

  /// What arrives of the next bytes.
  private static func carry(_ bytes: Bytes, _ carried: inout Int, _ damage: Damage) -> Bytes {
    let start = carried
    carried += bytes.count
    switch damage {
    case .none: return bytes
    case .cut(let place): return bytes.slice(0..<min(max(place - start, 0), bytes.count))
    case .flip(let place, let mask):
      guard (start..<carried).contains(place) else { return bytes }
      var array = bytes.array
      array[place - start] ^= mask
      return Bytes(array)
    case .noise(let place, let noise):
      guard (start..<carried).contains(place) else { return start < place ? bytes : Bytes() }
      return Bytes(bytes.array.prefix(place - start) + noise)
    }
  }

  private func pieces(_ bytes: Bytes) -> [Bytes] {
    stride(from: 0, to: bytes.count, by: self.pieceLimit).map {
      bytes.slice($0..<min(bytes.count, $0.addingReportingOverflow(self.pieceLimit).partialValue))
    }
  }
}
