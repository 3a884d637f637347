/// What single facts of a message conditions ask for; a destination's are always known.
public enum MessageFact: Hashable, Sendable, CaseIterable {
  /// Which way it goes.
  case direction
  /// What is spoken.
  case protocolName
  /// The method of the request.
  case method
  /// The request's path.
  case path
  /// The head's fields.
  case fields
  /// How long the content is.
  case size
  /// What was found in it.
  case findings
}

extension ConditionKey {
  /// The fact that the key asks for; nil if it asks about the destination.
  var fact: MessageFact? {
    switch self {
    case .device, .host, .ip, .port, .region, .asn: nil
    case .direction: .direction
    case .protocolName: .protocolName
    case .method: .method
    case .path: .path
    case .header, .type: .fields
    case .size: .size
    case .finding, .certainty: .findings
    }
  }
}

extension CompiledConditions {
  /// Conditions on one key each, in the order in which keys are asked: together they say what these say.
  ///
  /// `finding` and `certainty` ask for one finding that has both and stay together, as `finding`.
  var parts: [(key: ConditionKey, conditions: CompiledConditions)] {
    var parts: [(key: ConditionKey, conditions: CompiledConditions)] = []
    func add(_ key: ConditionKey, if isAsked: Bool, _ take: (inout CompiledConditions) -> Void) {
      guard isAsked else { return }
      var part = CompiledConditions()
      take(&part)
      parts.append((key, part))
    }
    add(.device, if: !self.device.isEmpty) { $0.device = self.device }
    add(.host, if: !self.host.isEmpty) { $0.host = self.host }
    add(.ip, if: !self.ip.isEmpty) { $0.ip = self.ip }
    add(.port, if: !self.port.isEmpty) { $0.port = self.port }
    add(.region, if: self.region != nil) { $0.region = self.region }
    add(.asn, if: !self.asn.isEmpty) { $0.asn = self.asn }
    add(.direction, if: !self.direction.isEmpty) { $0.direction = self.direction }
    add(.protocolName, if: !self.protocolName.isEmpty) { $0.protocolName = self.protocolName }
    add(.method, if: !self.method.isEmpty) { $0.method = self.method }
    add(.path, if: !self.path.isEmpty) { $0.path = self.path }
    for header in self.header { add(.header(header.name), if: true) { $0.header = [header] } }
    add(.type, if: !self.type.isEmpty) { $0.type = self.type }
    add(.size, if: !self.size.isEmpty) { $0.size = self.size }
    add(self.finding.isEmpty ? .certainty : .finding, if: self.asksFindings) {
      $0.finding = self.finding
      $0.certainty = self.certainty
    }
    return parts
  }
}
