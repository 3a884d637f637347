public import TideCore
import TideDecoding

/// Writes pseudonyms over what was seen in a specimen, and closes every layer on the way out again.
struct Rewriting {
  let plan: InspectionPlan
  let part: Part
  var order: RedactionOrder
  /// What was replaced, in order of place.
  private(set) var changes: [RedactionRecord] = []
  /// Whether a signature that nobody here can make stood over what was changed.
  private(set) var isSignatureBroken = false
  /// Every run that was changed, the outermost first.
  private(set) var alterations: [Alteration] = []

  init(_ plan: InspectionPlan, _ part: Part, _ order: RedactionOrder) {
    self.plan = plan
    self.part = part
    self.order = order
  }

  /// The specimen's bytes with all that `order` asks for replaced; nil if that cannot be done soundly.
  mutating func rewrite(_ specimen: Specimen) -> Bytes? {
    let result = self.rewrite(specimen, place: nil, path: self.part.name ?? "")
    // Leaves are rewritten before what is around them.
    self.changes.sort { $0.range.lowerBound < $1.range.lowerBound }
    self.alterations = result?.alterations ?? []
    return result?.bytes
  }

  /// A run of bytes before and after, and those inside it.
  private struct Rewritten {
    let bytes: Bytes
    /// Every run that changed, this one first: what check sums may have been made of.
    let alterations: [Alteration]
  }

  private mutating func rewrite(
    _ specimen: Specimen,
    place: Range<Int>?,
    path: String
  ) -> Rewritten? {
    var result = specimen.bytes.array
    var end = 0
    var last: Seen?
    var hasChanged = false
    // Leaves that are rewritten from the inside; what was seen of them from the outside goes with it.
    var inner: [Int: Bytes] = [:]
    var alterations: [Alteration] = []
    if let opened = specimen.layer {
      for (index, child) in opened.children.sorted(by: { $0.key < $1.key }) {
        let node = opened.layer.nodes[index]
        guard
          let new = self.rewrite(
            child,
            place: place ?? node.range,
            path: opened.places.path(of: index)
          )
        else { return nil }
        if new.alterations.isEmpty { continue }
        inner[index] = new.bytes
        alterations += new.alterations
      }
    }
    let innerRanges = inner.keys.compactMap { specimen.layer?.layer.nodes[$0].range }
    for match in specimen.matches where self.order.takes(Seen(match)) {
      if innerRanges.contains(where: { $0.overlaps(match.range) }) { continue }
      // The longer comes first: what lies inside it is gone with it; what only overlaps is not.
      if match.range.upperBound <= end { continue }
      // UTF-16 reads in both byte orders; the same value a byte later is gone too, or the second search
      // says that it is not.
      if match.range.lowerBound < end, Seen(match) == last { continue }
      guard match.range.lowerBound >= end,
        let new = self.plan.replacement(for: match, in: specimen.bytes)
      else { return nil }
      if new.written.count == match.range.count || match.range == 0..<specimen.bytes.count {
        result.replaceSubrange(match.range, with: new.written)
        hasChanged = true
      } else {
        // A number of another length: only the container can make room for it.
        guard let leaf = specimen.leaf(at: match.range) else { return nil }
        let written = Bytes(new.written)
        inner[leaf] = written
        alterations.append(Alteration(before: specimen.bytes.slice(match.range), after: written))
      }
      end = match.range.upperBound
      last = Seen(match)
      let range = place ?? match.range
      self.changes.append(
        RedactionRecord(
          kind: match.kind,
          location: self.part.location,
          path: specimen.layer?.places.path(at: match.range.lowerBound) ?? path,
          range: range.lowerBound + self.part.offset..<range.upperBound + self.part.offset,
          pseudonym: new.canonical
        )
      )
    }
    guard hasChanged || !inner.isEmpty else {
      return Rewritten(bytes: specimen.bytes, alterations: [])
    }
    return self.close(specimen, Bytes(result), inner, alterations)
  }

  /// Puts changed leaves back, with the check sums over them made anew.
  private mutating func close(
    _ specimen: Specimen,
    _ written: Bytes,
    _ inner: [Int: Bytes],
    _ alterations: [Alteration]
  ) -> Rewritten? {
    var bytes = written
    if let opened = specimen.layer {
      if !inner.isEmpty {
        guard let closed = opened.closed(over: written, replacing: inner)
        else { return nil }
        bytes = closed
      }
      let changes = WrittenChanges(
        opened.layer,
        before: specimen.bytes,
        after: bytes,
        inner: Set(inner.keys),
        growth: self.growth(opened, written, inner, closedCount: bytes.count)
      )
      let sums = CheckSums(opened, changes, alterations)
      self.isSignatureBroken = self.isSignatureBroken || sums.hasSignature
      if !sums.mended.isEmpty {
        let values = inner.merging(sums.mended) { inner, _ in inner }
        guard let closed = opened.closed(over: written, replacing: values)
        else { return nil }
        bytes = closed
      }
    }
    let whole = Alteration(before: specimen.bytes, after: bytes)
    return Rewritten(bytes: bytes, alterations: [whole] + alterations)
  }

  /// By how much each leaf grew; nil if other bytes of the container changed with it.
  private func growth(
    _ opened: Specimen.OpenedLayer,
    _ written: Bytes,
    _ inner: [Int: Bytes],
    closedCount: Int
  ) -> [Int: Int]? {
    if closedCount == written.count { return [:] }
    guard Self.texts.contains(opened.layer.decoder), inner.count <= 16 else { return nil }
    var growth: [Int: Int] = [:]
    for (index, value) in inner {
      guard
        let closed = opened.decoder.close(opened.layer, over: written, replacing: [index: value])
      else { return nil }
      growth[index] = closed.count - written.count
    }
    return growth.values.reduce(written.count, +) == closedCount ? growth : nil
  }

  /// Containers without lengths: what is beside a leaf stays as it is when the leaf grows.
  private static let texts: Set<String> = [
    CookieDecoder.id, DelimitedDecoder.id, FormDecoder.id, JSONDecoder.id, MultipartDecoder.id,
    PathDecoder.id, PlistDecoder.id, QueryDecoder.id, URLDecoder.id, XMLDecoder.id,
  ]
}

extension Specimen.OpenedLayer {
  /// The layer over changed leaves, opened again to see that it says what it should.
  fileprivate func closed(over bytes: Bytes, replacing values: [Int: Bytes]) -> Bytes? {
    self.decoder.closed(self.layer, over: bytes, replacing: values, in: self.context)
  }
}

/// A run of bytes that redaction changed: a body, or something inside it, at any layer.
public struct Alteration: Sendable {
  /// As it was.
  public let before: Bytes
  /// As it is now.
  public let after: Bytes

  /// Joins the two.
  public init(before: Bytes, after: Bytes) {
    self.before = before
    self.after = after
  }
}
