public import TideCore

/// How long a message's content is, as far as that is known.
public enum ContentSize: Hashable, Sendable {
  /// At least so many bytes: those counted so far of a body whose end is not in sight; 0 says nothing.
  case atLeast(UInt64)
  /// Exactly so many bytes: declared in the head, or counted to the end.
  case exactly(UInt64)
}

/// What rules are asked about: one message of one flow, or a tunnel as a whole.
public struct MessageFacts: Sendable {
  /// The device's name.
  public var device: String
  /// Every name the flow goes by: what the client asked for, the server name, `Host` or `:authority`.
  public var hosts: [Host]
  /// The names that those are only other names for (DNS CNAME): they make a rule apply, and except nothing.
  public var aliases: [Hostname]
  /// The destination's port.
  public var port: UInt16
  /// The address dialled; nil if none was.
  public var address: IPAddress?
  /// Every address that any of the names resolved to.
  public var candidates: [Candidate]
  /// Which way the message goes.
  public var direction: Direction
  /// The method of the request, also for its response; empty for a tunnel.
  public var method: Bytes
  /// The target before `?` of the request, also for its response; empty for a tunnel.
  public var path: Bytes
  /// The message's own header section.
  public var fields: HeaderFields
  /// The size of the message's content.
  public var size: ContentSize
  /// What is spoken, from the general to the special: `h2` and `grpc`, `http/1.1` and `websocket`, or one alone.
  ///
  /// `tls` is a tunnel that is passed, `stream` decrypted bytes that are no HTTP, `tcp` bytes without TLS.
  public var protocols: [String]

  /// Joins facts; those of a message may be left out for a tunnel.
  public init(
    device: String,
    hosts: [Host],
    aliases: [Hostname] = [],
    port: UInt16,
    address: IPAddress?,
    candidates: [Candidate],
    direction: Direction = .request,
    method: Bytes = Bytes(),
    path: Bytes = Bytes(),
    fields: HeaderFields = HeaderFields(),
    size: ContentSize = .atLeast(0),
    protocols: [String] = []
  ) {
    self.device = device
    self.hosts = hosts
    self.aliases = aliases
    self.port = port
    self.address = address
    self.candidates = candidates
    self.direction = direction
    self.method = method
    self.path = path
    self.fields = fields
    self.size = size
    self.protocols = protocols
  }
}
