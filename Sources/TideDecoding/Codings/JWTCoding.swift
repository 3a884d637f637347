public import TideCore
internal import TideCrypto

/// A JSON Web Token in its compact form (RFC 7519, RFC 7515 §7.1): header, payload, signature.
///
/// Header and payload are leaves. The signature is kept when they change, so it is broken then, unless the
/// token says `"alg":"none"`: `detail` is `isSigned` or `isUnsigned`.
public struct JWTCoding: LayerDecoder {
  /// The name in findings and in the configuration.
  public static let id = "jwt"
  /// The layer's `detail` of a token with a signature, which a change breaks.
  public static let isSigned = 1
  /// The layer's `detail` of a token without one.
  public static let isUnsigned = 0

  /// Makes one.
  public init() {}

  /// Whether all bytes are digits of base64url and dots, and the first one begins an object.
  public func mayOpen(_ shape: Shape, _ context: LayerContext) -> Bool {
    // `{"` is `eyI` or `eyJ`; `{ ` is `eyA`; `{` and a line end `ewo` or `ew0`.
    shape.count >= 16 && shape.first == 0x65 && shape.classes.contains(.dot)
      && shape.classes.isSubset(of: [.alphanumeric, .hyphen, .underscore, .dot])
  }

  /// The header and the payload.
  public func open(
    _ bytes: Bytes,
    _ context: LayerContext,
    _ budget: inout DecodingBudget
  ) -> Layer? {
    guard budget.goOn(bytes.count), let parts = Self.parts(of: bytes) else { return nil }
    guard let header = Base64.url.decode(bytes.slice(parts.header)), header.first == 0x7B,
      let payload = Base64.url.decode(bytes.slice(parts.payload)), !payload.isEmpty,
      Plausible.text(Bytes(header)) != nil,
      budget.spend(bytes: header.count + payload.count)
    else { return nil }
    let isSigned = !parts.signature.isEmpty && !Self.saysNone(header)
    return Layer(
      decoder: Self.id,
      names: [Self.id],
      nodes: [
        LayerNode(key: .text("header"), range: parts.header, content: .value(Bytes(header))),
        LayerNode(key: .text("payload"), range: parts.payload, content: .value(Bytes(payload))),
      ],
      isCertain: true,
      detail: isSigned ? Self.isSigned : Self.isUnsigned
    )
  }

  /// The token with new parts and the old signature.
  public func close(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes]
  ) -> Bytes? {
    guard let parts = Self.parts(of: bytes) else { return nil }
    var written: [UInt8] = []
    written.reserveCapacity(bytes.count)
    for (index, part) in [parts.header, parts.payload].enumerated() {
      if let value = values[index] {
        value.withSpan { Base64.url.encode($0, into: &written) }
      } else {
        written.append(contentsOf: bytes.slice(part))
      }
      written.append(0x2E)
    }
    written.append(contentsOf: bytes.slice(parts.signature))
    return Bytes(written)
  }

  private static func parts(
    of bytes: Bytes
  ) -> (header: Range<Int>, payload: Range<Int>, signature: Range<Int>)? {
    guard let first = bytes.firstIndex(of: 0x2E),
      let second = bytes.dropFirst(first + 1).firstIndex(of: 0x2E),
      bytes.lastIndex(of: 0x2E) == second
    else { return nil }
    return (0..<first, first + 1..<second, second + 1..<bytes.count)
  }

  /// Whether a header names the algorithm `none` (RFC 7518 §3.6).
  private static func saysNone(_ header: [UInt8]) -> Bool {
    let compact = header.filter { $0 > 0x20 }.map(ASCII.lowercased)
    let words = Array("\"alg\":\"none\"".utf8)
    guard compact.count >= words.count else { return false }
    return (0...compact.count - words.count).contains { start in
      compact[start..<start + words.count].elementsEqual(words)
    }
  }
}
