internal import TideCore

/// What the flows of a connection share: who asked for which host, and where that led.
struct FlowPlace: Hashable {
  let device: String
  let client: String
  let host: String
  let sni: String?
  let port: UInt16
  let address: String?
  let candidates: [FlowRecord.Candidate]
  let region: String
  let regionLabels: [String]
  let systems: [UInt32]
  let treatment: String

  init(_ flow: FlowRecord) {
    self.device = flow.device
    self.client = flow.client
    self.host = flow.host
    self.sni = flow.sni
    self.port = flow.port
    self.address = flow.address
    self.candidates = flow.candidates
    self.region = flow.region
    self.regionLabels = flow.regionLabels
    self.systems = flow.systems
    self.treatment = flow.treatment
  }

  /// All of it as one text.
  var facts: String {
    var json = JSONWriter()
    json.beginArray()
    json.value(self.device)
    json.value(self.client)
    json.value(self.host)
    if let sni = self.sni { json.value(sni) } else { json.null() }
    json.value(Int(self.port))
    if let address = self.address { json.value(address) } else { json.null() }
    json.beginArray()
    for candidate in self.candidates {
      json.value(candidate.address)
      json.value(candidate.region)
    }
    json.endArray()
    json.value(self.region)
    json.beginArray()
    for label in self.regionLabels { json.value(label) }
    json.endArray()
    json.beginArray()
    for system in self.systems { json.value(UInt64(system)) }
    json.endArray()
    json.value(self.treatment)
    json.endArray()
    return String(decoding: json.bytes, as: UTF8.self)
  }

  /// Reads what `facts` wrote.
  init(facts: String) {
    let values = JSONValue(Bytes(facts))?.array ?? []
    func value(_ index: Int) -> JSONValue { index < values.count ? values[index] : .null }
    self.device = value(0).string ?? ""
    self.client = value(1).string ?? ""
    self.host = value(2).string ?? ""
    self.sni = value(3).string
    self.port = value(4).unsigned.flatMap { UInt16(exactly: $0) } ?? 0
    self.address = value(5).string
    let pairs = value(6).array.map { $0.string ?? "" }
    self.candidates = stride(from: 0, to: pairs.count - 1, by: 2).map { index in
      FlowRecord.Candidate(address: pairs[index], region: pairs[index + 1])
    }
    self.region = value(7).string ?? ""
    self.regionLabels = value(8).array.compactMap(\.string)
    self.systems = value(9).array.compactMap { $0.unsigned.flatMap { UInt32(exactly: $0) } }
    self.treatment = value(10).string ?? ""
  }
}
