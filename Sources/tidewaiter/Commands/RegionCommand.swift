import ArgumentParser
import Foundation
import TideConfig
import TideCore
import TideEngineNIO
import TideRegion

/// `tidewaiter region`: where addresses lie, and who says so.
struct RegionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "region",
    abstract: "Where addresses lie, and who says so.",
    subcommands: [Lookup.self, List.self]
  )

  /// `region lookup`.
  struct Lookup: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Shows the region of an address in any spelling, or of each address of a name."
    )

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "A host name or an address.") var host: String
    @Flag(help: "One JSON object a line.") var json = false

    func run() throws {
      let configuration = try RuleFiles(try self.options.load()).configuration
      let table = try RegionLoader.load(configuration)
      guard let host = Host(self.host) else {
        throw CommandFailure(.usage, "\(self.host): neither a host name nor an address")
      }
      let addresses = try RegionCommand.addresses(of: host, configuration)
      for address in addresses {
        let answer = Answer(address, table.region(of: address), host: host, table: table)
        Terminal.print(self.json ? try JSONText.encode(answer) : answer.text)
      }
    }
  }

  /// `region list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Lists the databases and the named sets in use."
    )

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "One JSON object a line.") var json = false

    func run() throws {
      let configuration = try RuleFiles(try self.options.load()).configuration
      let table = try RegionLoader.load(configuration)
      for source in table.sources {
        let row = Source(
          database: source.name,
          date: source.date,
          entries: source.entries,
          sha256: source.sha256
        )
        Terminal.print(self.json ? try JSONText.encode(row) : row.text)
      }
      for set in table.sets {
        let row = Named(
          set: set.name,
          country: set.country,
          cidr: set.cidrs.map(\.description),
          asn: set.asns,
          host: set.hosts
        )
        Terminal.print(self.json ? try JSONText.encode(row) : row.text)
      }
      let watch = configuration.regions.watch.joined(separator: ", ")
      if !self.json { Terminal.print("watched: \(watch.isEmpty ? "nothing" : watch)") }
    }
  }

  /// The addresses of a host, as the proxy would find them.
  static func addresses(
    of host: TideCore.Host,
    _ configuration: Configuration
  ) throws -> [IPAddress] {
    try self.resolution(of: host, configuration).addresses
  }

  /// What the proxy would find for a host; an address stands for itself.
  static func resolution(
    of host: TideCore.Host,
    _ configuration: Configuration
  ) throws -> Resolution {
    switch host {
    case .address(let address): return Resolution(addresses: [address], source: "literal")
    case .name(let name):
      let upstream = configuration.upstream
      let found = NIOEngine.resolve(
        name,
        hosts: upstream.hosts,
        nameServers: upstream.nameServers,
        patience: configuration.timeouts.dns
      )
      switch found {
      case .success(let resolution): return resolution
      case .failure(let failure): throw CommandFailure(.problem, failure.detail)
      }
    }
  }

  private struct Answer: Encodable {
    struct Signal: Encodable {
      let source: String
      let country: String?
      let asn: UInt32?
    }

    let address: String
    let carries: String?
    let region: String
    let countries: [String]
    let asn: UInt32?
    let sets: [String]
    let specialUse: String?
    let signals: [Signal]

    init(_ address: IPAddress, _ region: Region, host: TideCore.Host, table: RegionTable) {
      self.address = address.description
      self.carries = address.embeddedV4?.description
      self.region = region.name
      self.countries = region.countries
      self.asn = region.asn
      var sets = region.sets
      if case .name(let name) = host {
        sets += table.sets(forHost: name).filter { !sets.contains($0) }
      }
      self.sets = sets
      self.specialUse = SpecialUse.name(of: address)
      self.signals = region.signals.map {
        Signal(source: $0.source, country: $0.country, asn: $0.asn)
      }
    }

    var text: String {
      var text = "\(self.address)  \(self.region)"
      if let carries = self.carries { text += "  carries \(carries)" }
      if let asn = self.asn { text += "  AS\(asn)" }
      if !self.sets.isEmpty { text += "  sets \(self.sets.joined(separator: ", "))" }
      if let use = self.specialUse { text += "  special use: \(use)" }
      let said = self.signals.map { "\($0.source) says \($0.country ?? "nothing")" }
      if !said.isEmpty { text += "  (\(said.joined(separator: "; ")))" }
      return text
    }
  }

  private struct Source: Encodable {
    let database: String
    let date: String?
    let entries: Int
    let sha256: String?

    var text: String {
      "\(self.database)  \(self.date ?? "no date")  \(self.entries) entries  "
        + "SHA-256 \(self.sha256 ?? "unknown")"
    }
  }

  private struct Named: Encodable {
    let set: String
    let country: String?
    let cidr: [String]
    let asn: [UInt32]
    let host: [String]

    var text: String {
      let parts = self.cidr + self.asn.map { "AS\($0)" } + self.host
      return "set \(self.set)  \(self.country ?? "")  \(parts.joined(separator: ", "))"
    }
  }
}
