public import TideCore

/// How the end of a message's body is found (RFC 9112 §6.3).
public enum BodyFraming: Hashable, Sendable {
  /// There is no body.
  case none
  /// Exactly so many bytes; may be 0.
  case length(UInt64)
  /// Chunks, the last of which is empty.
  case chunked
  /// Everything until the server closes; responses only.
  case untilClose

  /// Decides the framing of the message that `head` begins.
  ///
  /// - Parameters:
  ///   - head: a request's or response's head.
  ///   - method: the method of the request that a response answers; a request's own is in its head.
  /// - Returns: how the body's end is to be found.
  /// - Throws: `.ambiguousFraming` for a shape that another recipient could read differently,
  ///   `.malformedHead` for a Content-Length that is not a number up to 2⁶³ − 1. Nothing is repaired.
  public static func of(
    _ head: MessageHead,
    answering method: Bytes = Bytes()
  ) throws(HTTPFailure) -> BodyFraming {
    try self.of(head, answering: AnsweredMethod(method))
  }

  static func of(
    _ head: MessageHead,
    answering method: AnsweredMethod
  ) throws(HTTPFailure) -> BodyFraming {
    switch head.start {
    case .request(let method, _):
      let framing = try self.declared(head)
      guard AnsweredMethod(method) == .connect else { return framing ?? .none }
      // What follows a CONNECT is the tunnel (RFC 9110 §9.3.6): content there is read as one or the
      // other. Old clients do send a length of 0.
      guard framing == nil || framing == .length(0) else {
        throw HTTPFailure(.ambiguousFraming, detail: "a CONNECT request with content")
      }
      return .none
    case .response(let status, _):
      // These end with their head whatever their fields say (RFC 9112 §6.3, items 1 and 2).
      switch method {
      case .head: return .none
      case .connect where 200...299 ~= status: return .none
      case .connect, .other: break
      }
      if status < 200 || status == 204 || status == 304 { return .none }
      return try self.declared(head) ?? .untilClose
    }
  }

  /// What the fields say, or nil if they say nothing.
  private static func declared(_ head: MessageHead) throws(HTTPFailure) -> BodyFraming? {
    var coding: Int?
    var length: Int?
    let fields = head.fields
    let slots = fields.slots
    for index in slots.indices {
      switch slots[index].name.count {
      case 14 where fields.isNamed("content-length", at: index):
        guard length == nil else {
          throw HTTPFailure(.ambiguousFraming, detail: "more than one Content-Length")
        }
        length = index
      case 17 where fields.isNamed("transfer-encoding", at: index):
        guard coding == nil else {
          throw HTTPFailure(.ambiguousFraming, detail: "more than one Transfer-Encoding")
        }
        coding = index
      default: break
      }
    }
    guard let coding else {
      guard let length else { return nil }
      return .length(try self.contentLength(fields.value(at: length)))
    }
    guard length == nil else {
      throw HTTPFailure(.ambiguousFraming, detail: "both Content-Length and Transfer-Encoding")
    }
    guard head.version == .http11 else {
      throw HTTPFailure(.ambiguousFraming, detail: "Transfer-Encoding in HTTP/1.0")
    }
    let value = fields.value(at: coding)
    guard value.isText("chunked") else {
      throw HTTPFailure(.ambiguousFraming, "a transfer coding other than chunked", quoting: value)
    }
    return .chunked
  }

  /// Refuses trailers that would change how the message was framed or routed (RFC 9110 §6.5.1).
  static func checkTrailers(_ fields: HeaderFields) throws(HTTPFailure) {
    for index in fields.slots.indices
    where fields.isNamed("content-length", at: index)
      || fields.isNamed("transfer-encoding", at: index) || fields.isNamed("host", at: index)
    {
      throw HTTPFailure(.ambiguousFraming, "a trailer field", quoting: fields.name(at: index))
    }
  }

  /// Reads `1*DIGIT` (RFC 9110 §8.6).
  private static func contentLength(_ value: Bytes) throws(HTTPFailure) -> UInt64 {
    var length: UInt64 = 0
    for byte in value {
      if byte == Octet.comma {
        // Even equal ones: a recipient may take the first, the last, or none (RFC 9112 §6.3).
        throw HTTPFailure(.ambiguousFraming, "a list of lengths", quoting: value)
      }
      // 2⁶³ and above would be negative to a recipient that counts in signed integers.
      guard ASCII.isDigit(byte), length <= (UInt64(Int64.max) - UInt64(byte & 0x0F)) / 10 else {
        throw HTTPFailure(.malformedHead, "Content-Length is not a number", quoting: value)
      }
      length = length * 10 + UInt64(byte & 0x0F)
    }
    guard !value.isEmpty else {
      throw HTTPFailure(.malformedHead, detail: "Content-Length is empty")
    }
    return length
  }
}

/// What a request's method means for its answer: only two methods change where a response ends.
enum AnsweredMethod: Sendable {
  case head, connect, other

  /// Reads a method; methods are case-sensitive (RFC 9110 §9.1).
  init(_ method: Bytes) {
    // By length first: comparing with a literal would make one.
    switch method.count {
    case 4 where method.elementsEqual("HEAD".utf8): self = .head
    case 7 where method.elementsEqual("CONNECT".utf8): self = .connect
    default: self = .other
    }
  }
}
