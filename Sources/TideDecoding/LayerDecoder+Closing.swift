public import TideCore

/// What opening again gives after a layer was closed over changed values.
public enum Reopening: Sendable {
  /// The layer, with those values.
  case always
  /// That, or nothing: there is no mark of its own, and another value may not look like anything.
  case ifPlausible
  /// Something: it goes by what values look like.
  case uncertain
}

extension LayerDecoder {
  /// What most formats promise.
  public var reopening: Reopening { .always }

  /// Closes a layer and opens it again, to see that it says what it should.
  ///
  /// Bytes that come from a peer may be almost of a format, and closing them may make them more so, or
  /// less. Nil then, and where `close` has no way.
  ///
  /// - Parameters:
  ///   - layer: as `close` takes it.
  ///   - bytes: as `close` takes them.
  ///   - values: as `close` takes them.
  ///   - context: in which the layer was opened.
  /// - Returns: the bytes with the new values, and with every other value as it was.
  public func closed(
    _ layer: Layer,
    over bytes: Bytes,
    replacing values: [Int: Bytes],
    in context: LayerContext
  ) -> Bytes? {
    guard let result = self.close(layer, over: bytes, replacing: values) else { return nil }
    var budget = DecodingBudget(bytes: 64 << 20, nodes: 1 << 20, depth: 64, ratio: 1_000)
    switch self.reopening {
    case .uncertain: return result
    case .always, .ifPlausible: break
    }
    guard let again = self.open(result, context, &budget) else {
      switch self.reopening {
      case .ifPlausible: return result
      case .always, .uncertain: return nil
      }
    }
    guard again.nodes.count == layer.nodes.count else { return nil }
    for (index, node) in layer.nodes.enumerated() where !node.isGroup {
      switch node.form {
      // The same bits are an integer or a fraction by what is plausible.
      case .fixed32, .fixed64, .float32, .float64: continue
      case .text, .number, .varint, .bytes: break
      }
      let due = values[index] ?? node.value(in: bytes)
      guard again.nodes[index].value(in: result) == due else { return nil }
    }
    return result
  }
}
