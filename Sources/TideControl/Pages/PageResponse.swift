public import TideCore

/// A response that Tidewaiter itself makes: a page, a file, a refusal.
///
/// Without `Content-Length` and connection fields, and with its content also in answer to a `HEAD`:
/// whoever sends it frames it, and leaves the content out where HTTP says so.
public struct PageResponse: Sendable {
  /// The status code.
  public let status: Int
  /// The header fields in order.
  public let fields: [(String, String)]
  /// The content.
  public let body: Bytes

  /// Joins a response that no cache keeps and no browser second-guesses.
  ///
  /// - Parameters:
  ///   - status: the status code.
  ///   - type: the content's media type; nil where there is no content.
  ///   - body: the content.
  ///   - extra: fields of this response alone.
  init(status: Int, type: String?, body: Bytes, extra: [(String, String)] = []) {
    var fields: [(String, String)] = []
    if let type { fields.append(("Content-Type", type)) }
    fields.append(("Cache-Control", "no-store"))
    fields.append(("X-Content-Type-Options", "nosniff"))
    fields.append(("Referrer-Policy", "no-referrer"))
    self.status = status
    self.fields = fields + extra
    self.body = body
  }
}
