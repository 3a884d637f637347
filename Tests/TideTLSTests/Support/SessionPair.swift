import COpenSSL
import TideCore

@testable import TideTLS

/// A client's and a server's session that are joined in memory.
final class SessionPair {
  let client: TLSSession
  let server: TLSSession
  var clientReceived: [Bytes] = []
  var serverReceived: [Bytes] = []
  var clientFailure: TLSFailure?
  var serverFailure: TLSFailure?
  /// The most bytes that are handed over at once.
  var pieceLimit = Int.max

  init(client: TLSSession, server: TLSSession) {
    self.client = client
    self.server = server
  }

  /// Joins a client of `name` that trusts `root` with a server that shows `leaf`.
  convenience init(
    leaf: Leaf,
    trusting root: [UInt8],
    name: String = "server.example",
    offering offer: [String] = [],
    selecting selected: String? = nil,
    maximumVersion: UInt16? = nil,
    refusing: [[UInt8]] = [],
    mode: VerificationMode = .refuse
  ) throws {
    let clients = try TLSClientContext(roots: .pem(root), refusing: refusing, mode: mode)
    self.init(
      client: try .client(clients, host: host(name), applicationProtocols: offer),
      server: try .server(
        TLSServerContext(),
        leaf: leaf,
        applicationProtocol: selected,
        maximumVersion: maximumVersion
      )
    )
  }

  /// Hands bytes over both ways until neither side has any.
  @discardableResult
  func run() -> SessionPair {
    while self.client.hasOutput || self.server.hasOutput {
      for piece in self.pieces(self.client.takeOutput()) {
        do throws(TLSFailure) {
          try self.server.receive(piece, &self.serverReceived)
        } catch {
          self.serverFailure = error
        }
      }
      for piece in self.pieces(self.server.takeOutput()) {
        do throws(TLSFailure) {
          try self.client.receive(piece, &self.clientReceived)
        } catch {
          self.clientFailure = error
        }
      }
    }
    return self
  }

  private func pieces(_ bytes: Bytes) -> [Bytes] {
    stride(from: 0, to: bytes.count, by: self.pieceLimit).map {
      bytes.slice($0..<min(bytes.count, $0.addingReportingOverflow(self.pieceLimit).partialValue))
    }
  }

  var isEstablished: Bool { self.client.isEstablished && self.server.isEstablished }
}

/// Joins pieces of plaintext.
func joined(_ pieces: [Bytes]) -> [UInt8] { pieces.flatMap(\.array) }

/// The first error left in this thread's queue; 0 is none.
var leftOverError: UInt { ERR_peek_error() }

/// Fails a call of OpenSSL and leaves its error queued.
func leaveAnError() { unsafe BIO_free(BIO_new_file("/", "w")) }
