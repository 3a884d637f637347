/// What one check came to, of which the first that is not right decides.
enum Ruling: Equatable {
  case altered(at: UInt64?, what: String)
  case incomplete(from: UInt64)
}

/// Which lines no crash can have harmed, nor what they name.
struct Durability {
  /// How many lines the last tree head covers.
  var headSize: UInt64 = 0
  /// The number of the last `start` line: who goes on puts right what is before it.
  var lastStart: UInt64 = 0
  var isSealed = false

  /// Whether what is wrong with a line, or with what it names, is somebody's doing.
  func covers(_ sequence: UInt64) -> Bool {
    self.isSealed || sequence <= self.headSize || sequence < self.lastStart
  }

  /// The ruling on what is wrong with a line, or with what it names.
  func ruling(_ sequence: UInt64, _ what: String) -> Ruling {
    self.covers(sequence) ? .altered(at: sequence, what: what) : .incomplete(from: sequence)
  }
}
