import TideCore

/// How gRPC says that a call failed: a status in the trailers, or in a head that is all there is.
enum GRPCAnswer {
  /// A response of trailers only, as the gRPC protocol over HTTP/2 has it.
  ///
  /// In the request's own type: gRPC-Web and the encodings of messages have others.
  static func head(_ failure: FlowFailure, to request: MessageHead) -> MessageHead {
    var fields = HeaderFields()
    fields.append(
      name: "content-type",
      value: request.fields.first("content-type") ?? "application/grpc"
    )
    let trailers = self.trailers(failure)
    for index in trailers.slots.indices {
      fields.append(name: trailers.name(at: index), value: trailers.value(at: index))
    }
    return MessageHead(
      start: .response(status: 200, reason: Bytes()),
      version: .http2,
      fields: fields
    )
  }

  /// The status of a call that had an answer already.
  static func trailers(_ failure: FlowFailure) -> HeaderFields {
    HeaderFields([
      ("grpc-status", String(self.status(failure))),
      ("grpc-message", self.message("tidewaiter: \(failure.detail)")),
    ])
  }

  /// The gRPC status code that says what happened.
  private static func status(_ failure: FlowFailure) -> Int {
    switch failure.status {
    case 403, 421, 451: 7  // PERMISSION_DENIED
    case 502, 503: 14  // UNAVAILABLE
    case 504: 4  // DEADLINE_EXCEEDED
    default: 13  // INTERNAL
    }
  }

  /// Percent-encodes what is not printable ASCII, and `%`.
  private static func message(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      if (0x20...0x7E).contains(byte), byte != 0x25 {
        encoded.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        encoded += "%" + ASCII.hex(CollectionOfOne(byte)).uppercased()
      }
    }
    return encoded
  }
}
