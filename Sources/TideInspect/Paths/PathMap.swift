import TideCore

/// Names of places in one part, worked out only where somebody asks.
///
/// A part without candidates costs nothing until its bytes are let go; then the tracker is moved past
/// them. Positions are counted from the part's start.
final class PathMap {
  private var kept: PathTracker
  private var keptPosition = 0
  private var cursor: PathTracker
  private var cursorPosition = 0

  init(_ syntax: PartSyntax) {
    self.kept = PathTracker(syntax)
    self.cursor = self.kept
  }

  /// The tracker as it stands before the byte at `position`, of a buffer that begins at `base`.
  func tracker(at position: Int, _ buffer: Bytes, _ base: Int) -> PathTracker {
    if position < self.cursorPosition {
      self.cursor = self.kept
      self.cursorPosition = self.keptPosition
    }
    let range = self.cursorPosition - base..<max(position, self.cursorPosition) - base
    buffer.withSpan { self.cursor.consume($0, range) }
    self.cursorPosition = max(position, self.cursorPosition)
    return self.cursor
  }

  /// Says that nobody will ask for a place before `position` again.
  ///
  /// With `isForced` the bytes before it go away. Without, a map that nobody has asked stays where it
  /// is; one that is asked is moved along, or every question would cost the whole way.
  func advance(to position: Int, _ buffer: Bytes, _ base: Int, isForced: Bool) {
    guard position > self.keptPosition, isForced || self.cursorPosition > self.keptPosition else {
      return
    }
    self.kept = self.tracker(at: position, buffer, base)
    self.keptPosition = position
  }
}
