import TideCore
import TidePolicy
import TideRegion

extension Configuration {
  /// Reads `tidewaiter.yaml`; an empty file is the defaults.
  ///
  /// - Parameters:
  ///   - yaml: the file's text.
  ///   - path: the file's name, for messages and as the start of relative paths.
  /// - Throws: every problem of the file, each with its place.
  public init(yaml: String, path: String) throws(ConfigFailure) {
    self.init(path: path)
    let session = ReadingSession(file: path)
    let document = YAMLReader.read(yaml, path: path, session.problems)
    self.read(document, base: self.basePath, session)
    if let failure = session.problems.failure { throw failure }
  }

  /// Takes over what a document says; what it does not name stays.
  mutating func read(_ document: YAMLValue?, base: String, _ session: ReadingSession) {
    var root = MappingReader(document, session: session)
    root.readVersion()
    root.read("mode", .word, into: &self.mode)
    self.readNetwork(&root, base)
    self.ca.read(&root, base)
    self.tls.read(&root, base)
    self.readRegions(&root, base)
    root.read("devices", .path(in: base), into: &self.devices)
    if root.has("rules") { self.rulesAreDefault = false }
    root.read("rules", listOf: .path(in: base), into: &self.rules)
    self.readInspect(&root)
    self.readCase(&root, base)
    self.readTimeouts(&root)
    root.read("loops", orWord: "auto", .number(1...256), into: &self.loops)
    var log = root.section("log")
    log.read("level", .word, into: &self.log.level)
    log.read("format", .word, into: &self.log.format)
    log.finish()
    root.finish()
  }

  private mutating func readNetwork(_ root: inout MappingReader, _ base: String) {
    var listen = root.section("listen")
    listen.read("proxy", listOf: .listenAddress, empty: .refused, into: &self.listen.proxy)
    var allowed = [self.listen.allow]
    listen.read("allow", listOf: AddressWords.clients, empty: .refused, into: &allowed)
    self.listen.allow = allowed.flatMap { $0 }
    self.listen.auth.read(&listen, base)
    listen.finish()

    var ui = root.section("ui")
    ui.read("listen", .listenAddress, into: &self.ui.listen)
    ui.finish()

    var upstream = root.section("upstream")
    self.upstream.readResolver(&upstream)
    self.readHosts(&upstream)
    var special = [self.upstream.allowSpecialUse]
    upstream.read("allow_special_use", listOf: AddressWords.specialUse, into: &special)
    self.upstream.allowSpecialUse = special.flatMap { $0 }
    upstream.finish()
  }

  private mutating func readHosts(_ upstream: inout MappingReader) {
    if upstream.has("hosts") { self.upstream.hosts = [:] }
    let hosts = upstream.section("hosts")
    for entry in hosts.entries {
      let key = YAMLValue(location: entry.keyLocation, content: .scalar(entry.key))
      let addresses = hosts.items(of: entry.value, .address, empty: .refused, entry.key)
      guard let name = hosts.scalar(key, .hostname, entry.key) else { continue }
      // Two spellings of one name: YAML sees two keys.
      if self.upstream.hosts.updateValue(addresses, forKey: name) != nil {
        hosts.report("\(name) is written twice", key: entry.key, at: key)
      }
    }
  }

  private mutating func readRegions(_ root: inout MappingReader, _ base: String) {
    var regions = root.section("regions")
    if regions.has("databases") { self.regions.databasesAreDefault = false }
    regions.read("databases", listOf: .path(in: base), into: &self.regions.databases)
    let sets = regions.section("sets")
    if regions.has("sets") { self.regions.sets = PlacedRegionSet.all(in: sets).map(\.set) }
    // After the sets: a name that is neither theirs nor a country's would silently watch nothing.
    let watchable = ScalarForm.watchable(sets: self.regions.sets.map(\.name), orElsewhere: true)
    regions.read("watch", listOf: watchable, into: &self.regions.watch)
    if regions.has("watch") { self.regions.noteElsewhere(regions.value("watch")) }
    regions.finish()
  }

  private mutating func readInspect(_ root: inout MappingReader) {
    var inspect = root.section("inspect")
    inspect.read("window", .byteSize(1 << 10...16 << 20), into: &self.inspect.window)
    inspect.read("hold_limit", .byteSize(1 << 10...1 << 30), into: &self.inspect.holdLimit)
    inspect.read("decoded_limit", .byteSize(1 << 10...1 << 30), into: &self.inspect.decodedLimit)
    inspect.read("depth", .number(1...32), into: &self.inspect.depth)
    inspect.read("ratio", .number(1...10_000), into: &self.inspect.ratio)
    inspect.read("time", .duration(.milliseconds(1)...(.seconds(60))), into: &self.inspect.time)
    var names = self.inspect.inspectors ?? ["all"]
    inspect.read("inspectors", listOf: .text, into: &names)
    self.inspect.inspectors = names == ["all"] ? nil : names
    self.inspect.readScanners(&inspect)
    inspect.finish()
  }

  private mutating func readCase(_ root: inout MappingReader, _ base: String) {
    var reader = root.section("case")
    reader.read("dir", .path(in: base), into: &self.caseFolder.directory)
    reader.read("name", orWord: "auto", .caseName, into: &self.caseFolder.name)
    reader.read("max_size", orNull: .byteSize(1 << 20...1 << 50), into: &self.caseFolder.maxSize)
    reader.read(
      "max_age",
      orNull: .duration(.seconds(60)...(.days(36_500))),
      into: &self.caseFolder.maxAge
    )
    reader.read("evidence", .word, into: &self.caseFolder.evidence)
    reader.read("fsync", .duration(.zero...(.seconds(60))), into: &self.caseFolder.fsync)
    reader.read("wire", .boolean, into: &self.caseFolder.wire)
    self.readEncryptKey(&reader, base)
    reader.read("tsa", orNull: .timestampAuthority, into: &self.caseFolder.tsa)
    reader.finish()
  }

  /// `encrypt_key: FILE`, or `encrypt_key: { passphrase_file: FILE }`.
  private mutating func readEncryptKey(_ reader: inout MappingReader, _ base: String) {
    let key = "encrypt_key"
    guard reader.isMapping(key) else {
      var file: String?
      reader.read(key, orNull: .path(in: base), into: &file)
      if reader.has(key) { self.caseFolder.encryptKey = file.map { .key($0) } }
      return
    }
    var section = reader.section(key)
    var file: String?
    section.read("passphrase_file", required: .path(in: base), into: &file)
    section.finish()
    self.caseFolder.encryptKey = file.map { .passphrase($0) }
  }

  private mutating func readTimeouts(_ root: inout MappingReader) {
    let wait = ScalarForm.nanoseconds(.milliseconds(1)...(.days(1)))
    var timeouts = root.section("timeouts")
    timeouts.read("dns", wait, into: &self.timeouts.dns)
    timeouts.read("connect", wait, into: &self.timeouts.connect)
    timeouts.read("handshake", wait, into: &self.timeouts.handshake)
    timeouts.read("header", wait, into: &self.timeouts.header)
    timeouts.read("response", wait, into: &self.timeouts.response)
    timeouts.read("idle", wait, into: &self.timeouts.idle)
    timeouts.finish()
  }
}
