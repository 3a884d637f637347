import TideCore
import TideDecoding

/// One part of a message: where it is, what is declared of it, and how it names what is inside.
struct Part {
  let location: FindingLocation
  let direction: Direction
  let syntax: PartSyntax
  /// What is added to positions in findings: the query begins inside the target.
  var offset = 0
  /// The layers already taken off, outermost first.
  var layers: [String] = []
  /// The declared media type in lower case without parameters; empty if there is none.
  var mediaType = ""
  /// The `boundary` parameter of a multipart type; nil if there is none.
  var boundary: Bytes?

  /// The one name of all that is inside, in lower case; nil if places have names of their own.
  var name: String? {
    switch self.syntax {
    case .named(let name) where !name.isEmpty:
      String(decoding: name.map(ASCII.lowercased), as: UTF8.self)
    case .named, .form, .cookie, .json: nil
    }
  }

  /// What decoders are told of it.
  func context(keys: [PayloadKey]) -> LayerContext {
    let place: LayerContext.Place =
      switch self.location {
      case .path: .path
      case .query: .query
      case .header, .trailer: .field
      case .cookie: .cookie
      case .body, .websocket: .content
      }
    return LayerContext(
      place: place,
      mediaType: self.mediaType,
      boundary: self.boundary,
      keys: keys
    )
  }
}
