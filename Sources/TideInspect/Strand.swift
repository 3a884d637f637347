import TideCore

/// Searches one part as its bytes arrive, and gives the same matches however they are cut.
///
/// ```
///          base        settled                  end
/// ..........|-- context --|-------- horizon ------|   bytes not yet received
///            kept for       a match that starts
///            context        here is not yet known
/// ```
/// A match belongs to the step in which its start is settled, that is followed by `horizon` bytes or
/// by the part's end: then the longest match, with all that its inspector may look at, is there. The
/// unsettled bytes are scanned again when more come, half a horizon at least.
struct Strand {
  let part: Part
  private let places: Places
  private let plan: InspectionPlan
  private let inspectors: [TriggerGroup]
  private var buffer = Bytes()
  private var base = 0
  /// How many bytes, from the part's start, no later match can begin in.
  private(set) var settled = 0
  /// Whether all bytes stay, because somebody wants them as a whole in the end.
  ///
  /// Then places that nobody asks for need not be followed either.
  var keepsAll = false
  /// Settled matches that reach beyond `settled` and may cover a later one.
  private var reaching: [Match] = []

  /// Begins a part whose places are named as its bytes pass.
  init(_ part: Part, _ plan: InspectionPlan) {
    self.init(part, plan, .passing(PathMap(part.syntax)))
  }

  /// Begins a run of bytes whose places somebody can name.
  init(_ part: Part, _ plan: InspectionPlan, _ places: Places) {
    self.part = part
    self.plan = plan
    self.inspectors = plan.inspectors(part.direction, part.location)
    self.places = places
  }

  /// All bytes from the start; nil if they do not stay.
  var kept: Bytes? { self.keepsAll ? self.buffer : nil }

  /// Makes room for all of so many bytes.
  mutating func reserve(_ count: Int) { self.buffer.reserve(count) }

  /// Takes the next bytes and gives the matches that they settle, in order of place.
  mutating func receive(_ bytes: Bytes, isFinal: Bool, _ scanner: NeedleScanner?) -> [Match] {
    self.letGo()
    self.buffer.append(bytes)
    let end = self.base + self.buffer.count
    let next = isFinal ? end : end - self.plan.horizon
    // Scanning the unsettled bytes anew for each byte that comes would be a way to keep us busy.
    guard next - self.settled >= (isFinal ? 0 : self.plan.horizon / 2) else { return [] }
    var candidates = self.candidates(isFinal: isFinal, scanner)
    guard !(candidates.isEmpty && self.reaching.isEmpty) else {
      self.settled = next
      return []
    }
    candidates.sort(by: Match.isBefore)
    let matches = self.uncovered(candidates, before: next)
    self.reaching = (self.reaching + candidates).filter {
      $0.range.lowerBound < next && $0.range.upperBound > next
    }
    self.settled = next
    return matches
  }

  /// A finding for a match that `receive` gave last.
  func finding(_ match: Match) -> Finding {
    let lower = match.range.lowerBound + self.part.offset
    return Finding(
      kind: match.kind,
      certainty: match.certainty,
      location: self.part.location,
      direction: self.part.direction,
      path: self.places.path(at: match.range.lowerBound, self.buffer, self.base),
      encoding: self.part.layers + match.encoding,
      range: lower..<lower + match.range.count,
      value: match.value,
      inspector: self.plan.name(of: match.source)
    )
  }

  /// Forgets settled bytes beyond the context, a good many at a time.
  private mutating func letGo() {
    let count = self.settled - self.base - Window.contextBefore
    guard count >= 32 << 10, !self.keepsAll else {
      self.places.advance(to: self.settled, self.buffer, self.base, isForced: false)
      return
    }
    self.places.advance(to: self.settled, self.buffer, self.base, isForced: true)
    self.buffer = self.buffer.dropping(first: count)
    self.base += count
  }

  /// Every match that starts at or after `settled`, some of them perhaps cut by the buffer's end.
  private func candidates(isFinal: Bool, _ scanner: NeedleScanner?) -> [Match] {
    let first = max(0, self.settled - self.base - Window.contextBefore)
    let bytes = self.buffer.dropping(first: first)
    let starts = self.settled - self.base - first..<bytes.count
    var sink = FindingSink()
    bytes.withSpan { span in
      for group in self.inspectors {
        let ranges = group.ranges(in: span, starts)
        if ranges.isEmpty { continue }
        // One after the other: names are worked out in order of place.
        for index in group.inspectors {
          for range in ranges {
            self.inspect(bytes, at: first, range, isFinal: isFinal, index, &sink)
          }
        }
      }
    }
    guard let scanner else { return sink.matches }
    sink.base = self.base + first
    bytes.withSpan { span in
      for hit in scanner.hits(in: span.extracting(starts)) {
        self.confirm(hit, span, starts, &sink)
      }
    }
    return sink.matches
  }

  /// Shows one inspector the bytes, at `first` in the buffer, on which matches that start in `starts`
  /// depend.
  private func inspect(
    _ bytes: Bytes,
    at first: Int,
    _ starts: Range<Int>,
    isFinal: Bool,
    _ index: Int,
    _ sink: inout FindingSink
  ) {
    let inspector = self.plan.inspectors[index]
    let lower = max(0, starts.lowerBound - Window.contextBefore)
    let sight = inspector.maxMatchLength + Window.contextAfter
    let upper = min(bytes.count, starts.upperBound + sight)
    sink.base = self.base + first + lower
    sink.starts = starts.lowerBound - lower..<starts.upperBound - lower
    sink.inspector = index
    let window = Window(
      bytes: bytes.slice(lower..<upper),
      starts: sink.starts,
      isFinal: isFinal && upper == bytes.count,
      location: self.part.location,
      direction: self.part.direction,
      base: sink.base,
      buffer: self.buffer,
      bufferBase: self.base,
      places: self.places
    )
    inspector.inspect(window, &sink)
  }

  private func confirm(
    _ hit: NeedleHit,
    _ span: Span<UInt8>,
    _ starts: Range<Int>,
    _ sink: inout FindingSink
  ) {
    let needles = self.plan.needles
    let needle = needles.needles[hit.needle]
    let value = needles.values[needle.value]
    let end = starts.lowerBound + hit.end
    let range = needle.confirm(span, end: end) { $0.spelling.bytes(of: value.subject) }
    guard let range, starts.contains(range.lowerBound) else { return }
    sink.matches.append(
      Match(
        range: range.lowerBound + sink.base..<range.upperBound + sink.base,
        kind: value.kind,
        certainty: needle.certainty,
        value: value.canonical,
        source: .needle(hit.needle),
        encoding: needle.encoding
      )
    )
  }

  /// The candidates that start before `next` and that no other match covers.
  private func uncovered(_ candidates: [Match], before next: Int) -> [Match] {
    var matches: [Match] = []
    for (index, match) in candidates.enumerated() where match.range.lowerBound < next {
      // A cover starts at most one longest match before, or inside.
      let earlier = candidates[..<index].reversed().prefix {
        $0.range.lowerBound > match.range.lowerBound - self.plan.horizon
      }
      let later = candidates[(index + 1)...].prefix {
        $0.range.lowerBound < match.range.upperBound
      }
      let isCovered =
        earlier.contains { $0.covers(match) } || later.contains { $0.covers(match) }
        || self.reaching.contains { $0.covers(match) }
      if !isCovered { matches.append(match) }
    }
    return matches
  }
}
