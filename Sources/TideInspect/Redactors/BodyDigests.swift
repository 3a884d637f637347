public import TideCore
import TideDecoding

/// Sums over a body that stand outside it: in a field, a trailer, or the target's query.
///
/// Made anew are those that anybody can make, wherever they stand and whatever they are called:
/// `Content-MD5` (RFC 1864), `Digest` (RFC 3230), `Content-Digest` and `Repr-Digest` (RFC 9530), and
/// whatever equals a CRC-32, Adler-32, MD5, SHA-1, SHA-256 or SHA-512 of the body, or of a part of it
/// that was changed. An entity tag is its server's own and stays.
public enum BodyDigests {
  /// What a change of a body means for its head.
  public struct Outcome: Sendable {
    /// The head with its sums made anew; nil if it has none.
    public let head: MessageHead?
    /// Whether the head has a signature that nobody here can make.
    public let isSignatureBroken: Bool
  }

  /// Fits a request's or response's head to a body that was changed.
  ///
  /// A sum under a signature's name is no signature: it was made anew. A head that was changed has no
  /// `raw`.
  public static func fit(_ head: MessageHead, to alterations: [Alteration]) -> Outcome {
    guard !alterations.isEmpty else { return Outcome(head: nil, isSignatureBroken: false) }
    let fields = self.mended(head.fields, alterations)
    let target = self.mended(target: head.target, alterations)
    let after = MessageHead(
      start: self.start(head.start, target),
      version: head.version,
      fields: fields ?? head.fields,
      pseudo: head.pseudo
    )
    let isBroken = self.hasUnchangedSignature(head, after)
    return Outcome(
      head: fields == nil && target == nil ? nil : after,
      isSignatureBroken: isBroken
    )
  }

  /// A section in which sums of `before` are sums of `after`; nil if it has none.
  public static func mended(
    _ fields: HeaderFields,
    before: Bytes,
    after: Bytes
  ) -> HeaderFields? {
    self.mended(fields, [Alteration(before: before, after: after)])
  }

  /// A section in which sums of a run before are sums of the run after; nil if it has none.
  public static func mended(
    _ fields: HeaderFields,
    _ alterations: [Alteration]
  ) -> HeaderFields? {
    var table = SumTable(alterations)
    var result: HeaderFields?
    for index in 0..<fields.count where !self.isKept(fields, index) {
      guard let value = self.mended(fields.value(at: index), &table) else { continue }
      var section = result ?? fields
      section.replaceValue(at: index, with: value)
      result = section
    }
    return result
  }

  /// A target whose query's members that are sums of a run before are sums of the run after; nil if it
  /// has none.
  public static func mended(target: Bytes, _ alterations: [Alteration]) -> Bytes? {
    guard let query = Query(target) else { return nil }
    var table = SumTable(alterations)
    var values: [Int: Bytes] = [:]
    for (index, value) in query.leaves { values[index] = table.mended(value) }
    guard !values.isEmpty,
      let closed = QueryDecoder().close(query.layer, over: query.bytes, replacing: values)
    else { return nil }
    var result = target.slice(0..<query.start)
    result.append(closed)
    return result
  }

  /// Fields that frame or route a message, name a thing, or are credentials: no sums of a body.
  private static func isKept(_ fields: HeaderFields, _ index: Int) -> Bool {
    fields.isNamed("etag", at: index) || fields.isNamed("if-match", at: index)
      || fields.isNamed("if-none-match", at: index) || fields.isNamed("content-length", at: index)
      || fields.isNamed("host", at: index) || fields.isNamed("cookie", at: index)
      || fields.isNamed("set-cookie", at: index) || fields.isNamed("authorization", at: index)
  }

  /// A field's value with its sums made anew: the value itself, or a member's (`sha-256=:…:`,
  /// `MD5=…,SHA=…`).
  private static func mended(_ value: Bytes, _ table: inout SumTable) -> Bytes? {
    if let whole = table.mended(value) { return whole }
    var result: [UInt8] = []
    var hasChanged = false
    var token: [UInt8] = []
    func close() {
      let sum = Bytes(token)
      // After the first `=`, if that is not padding.
      let sign = token.firstIndex(of: 0x3D).map { $0 + 1 } ?? token.count
      if let new = table.mended(sum) {
        result += new.array
        hasChanged = true
      } else if sign < token.count, let new = table.mended(sum.dropping(first: sign)) {
        result += token[..<sign] + new.array
        hasChanged = true
      } else {
        result += token
      }
      token = []
    }
    let separators = Array(", ;:\"\t".utf8)
    for byte in value {
      if separators.contains(byte) {
        close()
        result.append(byte)
      } else {
        token.append(byte)
      }
    }
    close()
    return hasChanged ? Bytes(result) : nil
  }

  private static func hasUnchangedSignature(_ before: MessageHead, _ after: MessageHead) -> Bool {
    for index in 0..<before.fields.count {
      let isSame = before.fields.value(at: index) == after.fields.value(at: index)
      let one = HeaderFields(
        buffer: before.fields.buffer,
        slots: [before.fields.slots[index]]
      )
      if isSame, !Signatures.fields(one).isEmpty { return true }
    }
    guard let old = Query(before.target), let new = Query(after.target) else { return false }
    return zip(old.leaves, new.leaves).contains { member, other in
      guard member.value == other.value, Signatures.isShaped(member.value),
        let key = old.layer.key(of: member.index, in: old.bytes)
      else { return false }
      return Signatures.isName(key)
    }
  }

  private static func start(_ start: StartLine, _ target: Bytes?) -> StartLine {
    switch start {
    case .request(let method, let original): .request(method: method, target: target ?? original)
    case .response: start
    }
  }
}
