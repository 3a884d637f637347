import TideCore

/// The content that waits to be sent on one stream.
struct SendQueue {
  private var pieces: [Bytes] = []
  private var first = 0
  /// How many bytes wait.
  private(set) var count = 0

  mutating func append(_ bytes: Bytes) {
    self.pieces.append(bytes)
    self.count += bytes.count
  }

  /// Moves `wanted` bytes, which have to be there, to the end of `output`.
  mutating func move(_ wanted: Int, to output: inout [UInt8]) {
    precondition(wanted <= self.count, "a DATA frame is never promised more than is queued")
    var left = wanted
    while left > 0 {
      let piece = self.pieces[self.first]
      if piece.count > left {
        output.append(contentsOf: piece.slice(0..<left))
        self.pieces[self.first] = piece.dropping(first: left)
        break
      }
      output.append(contentsOf: piece)
      left -= piece.count
      self.pieces[self.first] = Bytes()  // let go of its storage now
      self.first += 1
    }
    self.count -= wanted
    if self.first == self.pieces.count {
      self.pieces.removeAll(keepingCapacity: true)
      self.first = 0
    } else if self.first >= 64, self.first * 2 >= self.pieces.count {
      self.pieces.removeFirst(self.first)
      self.first = 0
    }
  }
}
