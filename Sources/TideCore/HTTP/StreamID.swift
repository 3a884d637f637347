/// The number of an HTTP/2 stream on one connection (RFC 9113 §5.1.1).
public struct StreamID: Hashable, Comparable, Sendable {
  /// Odd for what a client opens; 0 is the connection itself.
  public let number: Int32

  /// Makes an identifier.
  public init(_ number: Int32) { self.number = number }

  /// Orders by when the streams were opened.
  public static func < (a: StreamID, b: StreamID) -> Bool { a.number < b.number }
}
