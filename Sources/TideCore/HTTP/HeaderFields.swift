/// A section of header or trailer fields in the order, case and bytes in which they were sent.
///
/// Names and values are ranges of one buffer, so that parsing a head allocates once and a field that
/// nobody changes goes out exactly as it came in. Names compare without regard to ASCII case.
public struct HeaderFields: Sendable {
  /// Where one field's name and value lie in the buffer.
  public struct Slot: Sendable {
    /// The name's position.
    public var name: Range<Int>
    /// The value's position, without surrounding white space.
    public var value: Range<Int>
    /// Whether HPACK must send it as a literal that no table keeps (RFC 7541 §7.1.3).
    public var isNeverIndexed: Bool

    /// Makes a slot.
    public init(name: Range<Int>, value: Range<Int>, isNeverIndexed: Bool = false) {
      self.name = name
      self.value = value
      self.isNeverIndexed = isNeverIndexed
    }
  }

  /// The buffer that the slots point into.
  public private(set) var buffer: Bytes
  /// The fields, in order.
  public private(set) var slots: [Slot]

  /// Makes an empty section.
  public init() {
    self.buffer = Bytes()
    self.slots = []
  }

  /// Takes a buffer and the positions of the fields in it.
  public init(buffer: Bytes, slots: [Slot]) {
    self.buffer = buffer
    self.slots = slots
  }

  /// Makes a section from text, for messages of our own and for tests.
  public init(_ pairs: [(String, String)]) {
    self.init()
    for (name, value) in pairs { self.append(name: Bytes(name), value: Bytes(value)) }
  }

  /// The number of fields.
  public var count: Int { self.slots.count }

  /// Whether there are no fields.
  public var isEmpty: Bool { self.slots.isEmpty }

  /// The name of the field at `index`, as sent.
  public func name(at index: Int) -> Bytes { self.buffer.slice(self.slots[index].name) }

  /// The value of the field at `index`, as sent.
  public func value(at index: Int) -> Bytes { self.buffer.slice(self.slots[index].value) }

  /// Whether the field at `index` is called `name` (given in lower case).
  @inline(__always)
  public func isNamed(_ name: StaticString, at index: Int) -> Bool {
    let range = self.slots[index].name
    guard range.count == name.utf8CodeUnitCount else { return false }
    return self.buffer.withSpan { span in
      name.withUTF8Buffer { wanted in
        for offset in 0..<range.count
        where ASCII.lowercased(span[range.lowerBound + offset]) != (unsafe wanted[offset]) {
          return false
        }
        return true
      }
    }
  }

  /// The index of the first field called `name` (lower case), or nil.
  public func firstIndex(named name: StaticString) -> Int? {
    self.slots.indices.first { self.isNamed(name, at: $0) }
  }

  /// The value of the first field called `name` (lower case), or nil.
  public func first(_ name: StaticString) -> Bytes? {
    self.firstIndex(named: name).map { self.value(at: $0) }
  }

  /// The value of the one field called `name` (lower case); nil if there is none, or more than one.
  public func only(_ name: StaticString) -> Bytes? {
    guard let first = self.firstIndex(named: name),
      !self.slots.indices[(first + 1)...].contains(where: { self.isNamed(name, at: $0) })
    else { return nil }
    return self.value(at: first)
  }

  /// The values of every field called `name` (lower case), in order.
  public func all(_ name: StaticString) -> [Bytes] {
    self.slots.indices.filter { self.isNamed(name, at: $0) }.map { self.value(at: $0) }
  }

  /// The values of every field whose name equals `name` without regard to case.
  public func all(named name: some Collection<UInt8>) -> [Bytes] {
    self.slots.indices.filter { ASCII.equalsIgnoringCase(self.name(at: $0), name) }
      .map { self.value(at: $0) }
  }

  /// The comma-separated elements of every field called `name`, trimmed, in lower case.
  public func tokens(_ name: StaticString) -> [String] {
    self.all(name).flatMap { value in
      value.split(separator: 0x2C).compactMap { part in
        let token = String(decoding: part.map(ASCII.lowercased), as: UTF8.self)
          .drop { $0 == " " || $0 == "\t" }
        let end = token.lastIndex { $0 != " " && $0 != "\t" }
        return end.map { String(token[...$0]) }
      }
    }
  }

  /// Adds a field at the end.
  public mutating func append(name: Bytes, value: Bytes, isNeverIndexed: Bool = false) {
    let start = self.buffer.count
    self.buffer.append(name)
    self.buffer.append(value)
    self.slots.append(
      Slot(
        name: start..<start + name.count,
        value: start + name.count..<start + name.count + value.count,
        isNeverIndexed: isNeverIndexed
      )
    )
  }

  /// Replaces the value of the field at `index`; its name keeps its case and place.
  public mutating func replaceValue(at index: Int, with value: Bytes) {
    let start = self.buffer.count
    self.buffer.append(value)
    self.slots[index].value = start..<start + value.count
  }

  /// Removes the fields at indices for which `condition` holds.
  public mutating func removeAll(where condition: (Int) -> Bool) {
    guard let first = self.slots.indices.first(where: condition) else { return }
    var kept = Array(self.slots[..<first])
    for index in (first + 1)..<self.slots.count where !condition(index) {
      kept.append(self.slots[index])
    }
    self.slots = kept
  }

  /// Removes every field called `name` (lower case).
  public mutating func removeAll(_ name: StaticString) {
    let fields = self
    self.removeAll { fields.isNamed(name, at: $0) }
  }
}
