public import TideCore
public import TideRegion

/// One version of the policy: rules, regions and settings, checked and immutable; replaced whole.
///
/// Every answer is a pure function of its arguments. A class, since it is asked several times a message
/// and a copy would count the references of each of its parts.
public final class PolicySnapshot: Sendable {
  /// Where addresses lie.
  public let regions: RegionTable
  /// The settings it was made with.
  public let settings: PolicySettings
  /// Whether a rule asks what responses hold, so that their content has to be readable.
  public let needsResponseInspection: Bool
  /// Whether a rule compares sizes, so that a body that grows has to be judged again.
  public let asksSize: Bool

  /// What the rules' authors should know, in the order of the rules.
  public let remarks: [PolicyRemark]

  let rules: [CompiledRule]
  let requestRules: [CompiledRule]
  let responseRules: [CompiledRule]
  /// The rules that a destination alone decides.
  let connectRules: [CompiledRule]
  /// The rules that what is not decrypted would escape.
  let contentRules: [CompiledRule]
  let passthrough: [HostPattern]

  /// Checks rules and settings against each other and makes them a policy.
  ///
  /// - Throws: every problem that was found.
  public init(
    rules: [Rule],
    regions: RegionTable,
    settings: PolicySettings
  ) throws(PolicyFailure) {
    var compiler = RuleCompiler(regions: regions, settings: settings)
    let compiled = compiler.compile(rules)
    guard compiler.problems.isEmpty else { throw PolicyFailure(problems: compiler.problems) }
    self.regions = regions
    self.settings = settings
    self.rules = compiled
    self.remarks = RuleReview(compiled, regions: regions, settings: settings).remarks
    self.requestRules = compiled.filter { $0.applies(to: .request) }
    self.responseRules = compiled.filter { $0.applies(to: .response) }
    self.connectRules = compiled.filter(\.isConnectDecidable)
    self.contentRules = compiled.filter { $0.decided >= .redact }
    self.asksSize = compiled.contains { rule in
      !rule.when.size.isEmpty || rule.unless?.size.isEmpty == false
    }
    self.passthrough = settings.passthrough.compactMap { HostPattern($0) }
    self.needsResponseInspection = self.responseRules.contains { rule in
      rule.when.asksFindings || rule.applied == .redact
    }
  }

  /// The mode that the policy is for.
  public var mode: Mode { self.settings.mode }

  /// An address, in the form that a socket would use, and where it lies.
  public func candidate(_ address: IPAddress) -> Candidate {
    let address = address.unmapped
    return Candidate(address: address, region: self.regions.region(of: address))
  }
}
