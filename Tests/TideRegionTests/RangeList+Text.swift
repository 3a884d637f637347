import TideCore
import TideRegion

extension RangeList {
  /// The list that `text` is, read as one block.
  init(parsing text: Bytes, name: String, sha256: String? = nil) throws(RegionFailure) {
    var parser = RangeListParser(name: name, size: text.count)
    try text.withSpan { (span: Span<UInt8>) throws(RegionFailure) in try parser.read(span) }
    self = try parser.finish(sha256: sha256)
  }
}
