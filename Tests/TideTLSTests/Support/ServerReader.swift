import COpenSSL
import TideCore

@testable import TideTLS

/// A server session that is given hellos, to see how libssl reads them.
final class ServerReader {
  /// How a server begins its answer.
  enum Answer: Equatable {
    case serverHello
    case helloRetryRequest
    case alert(UInt8)
    case nothing
  }

  /// What it made of one hello.
  struct Reading {
    let answer: Answer
    /// The name, byte by byte.
    let serverName: [UInt8]?
    /// The protocols offered; nil if there are none, or if it did not get so far.
    let protocols: [[UInt8]]?

    /// Whether it found the hello good.
    var isAccepted: Bool { self.answer == .serverHello || self.answer == .helloRetryRequest }

    /// Whether our parser read the same in a hello that libssl found good.
    func agrees(with hello: HelloFacts) -> Bool {
      let text = self.serverName.map { String(decoding: $0, as: UTF8.self) }
      let name = text.flatMap { Hostname($0) }
      let protocols = (self.protocols ?? []).filter { !Self.isGREASE($0) }
      return hello.serverName == name
        && hello.hasMalformedServerName == (text != nil && name == nil)
        && hello.applicationProtocols == protocols.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func isGREASE(_ name: [UInt8]) -> Bool {
      name.count == 2 && name[0] == name[1] && name[0] & 0x0F == 0x0A
    }
  }

  /// What the callback notes.
  private final class Offer {
    var protocols: [[UInt8]]?
  }

  /// SHA-256 of "HelloRetryRequest", which stands for a server's random (RFC 8446 §4.1.3).
  private static let retryRandom: [UInt8] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
  ]

  private let context: TLSServerContext
  private let leaf: Leaf
  private let offer = Offer()

  init() throws {
    let root = try TestIdentity.authority("root")
    self.leaf = try TestIdentity.server([host("server.example")], issuer: root).leaf()
    self.context = try TLSServerContext()
    // Unretained: the context lives no longer than this reader, and nobody else uses it.
    unsafe SSL_CTX_set_alpn_select_cb(
      self.context.handle,
      { _, _, _, offered, count, offer in
        guard let offer = unsafe offer else { return SSL_TLSEXT_ERR_NOACK }
        let list = unsafe UnsafeBufferPointer(start: offered, count: Int(count))
        unsafe Unmanaged<Offer>.fromOpaque(offer).takeUnretainedValue().protocols =
          ServerReader.names(in: Array(list))
        return SSL_TLSEXT_ERR_NOACK
      },
      Unmanaged.passUnretained(self.offer).toOpaque()
    )
  }

  /// Gives a fresh session these bytes.
  func read(_ wire: Bytes) throws -> Reading {
    self.offer.protocols = nil
    let session = try TLSSession.server(
      self.context,
      leaf: self.leaf,
      applicationProtocol: nil,
      maximumVersion: nil
    )
    var plaintext: [Bytes] = []
    // A failure shows as an alert.
    do throws(TLSFailure) { try session.receive(wire, &plaintext) } catch {}
    let name = unsafe SSL_get_servername(session.handle, TLSEXT_NAMETYPE_host_name)
    return unsafe Reading(
      answer: Self.answer(session.takeOutput().array),
      serverName: name.map { unsafe Array(String(cString: $0).utf8) },
      protocols: self.offer.protocols
    )
  }

  private static func answer(_ output: [UInt8]) -> Answer {
    switch output.first {
    case 21 where output.count >= 7: return .alert(output[6])
    case 22 where output.count >= 43:
      return output[11..<43].elementsEqual(self.retryRandom) ? .helloRetryRequest : .serverHello
    default: return .nothing
    }
  }

  private static func names(in list: [UInt8]) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var rest = list[...]
    while let count = rest.popFirst() {
      names.append(Array(rest.prefix(Int(count))))
      rest = rest.dropFirst(Int(count))
    }
    return names
  }
}
