internal import TideCore
internal import TideCrypto

/// Checks a case: the chain and the tree of its log, the contents that the log names, and the seal.
public enum CaseVerifier {
  /// Checks the case in a folder, reading piece by piece.
  ///
  /// The first thing found altered decides the outcome, in the order chain, contents, findings, case.json, seal, wire;
  /// then what is incomplete (docs/evidence-format.md, section 8).
  ///
  /// - Parameters:
  ///   - path: the case.
  ///   - key: opens an encrypted case; without it what can be checked without it is, and that is said.
  ///   - signer: the fingerprint of the only key that may have signed; nil for any.
  ///   - roots: those below which the seal must have a time-stamp; nil if it need not have one.
  ///   - progress: is told how far it has come.
  /// - Returns: what each check came to.
  /// - Throws: `wrongKey` if nothing else is wrong, or what the file system says; what the case's files say is in the report.
  public static func verify(
    _ path: String,
    key: CaseKey? = nil,
    signer: String? = nil,
    roots: TimestampRoots? = nil,
    progress: VerificationProgress? = nil
  ) throws(EvidenceFailure) -> VerificationReport {
    guard Folder.isFolder(path + "/log") else {
      throw EvidenceFailure(.notACase, detail: "\(path): there is no case here")
    }
    let (disclosure, failure) = Disclosure.of(path, key)
    let report = try self.verify(
      path,
      disclosure,
      signer: signer,
      roots: roots,
      progress: progress
    )
    // Of a case that was altered, the key may be right.
    if let failure, report.outcome == .intact { throw failure }
    return report
  }

  private static func verify(
    _ path: String,
    _ disclosure: Disclosure,
    signer: String?,
    roots: TimestampRoots?,
    progress: VerificationProgress?
  ) throws(EvidenceFailure) -> VerificationReport {
    let seal = try SealVerification(root: path)
    let description = DescriptionVerification(root: path, disclosure)
    let purges = try PurgeVerification(root: path, isSealed: seal != nil)
    var log = try LogVerification(
      root: path,
      disclosure: disclosure,
      isSealed: seal != nil,
      removed: purges.contents,
      progress: progress
    )
    try log.run(sealer: seal?.fingerprint)
    let durability = Durability(
      headSize: log.heads.covered,
      lastStart: log.lastStart,
      isSealed: seal != nil
    )
    var decision = Decision()
    if let altered = log.altered {
      decision.add(.altered(at: altered.sequence, what: altered.what))
    }
    decision.add(log.contents.ruling(durability))
    decision.add(log.findings.ruling(durability))
    decision.add(altered: description.problem(log))
    if seal == nil { decision.add(altered: description.signerProblem(log)) }
    let signers = log.heads.signers + (seal.map { [$0.fingerprint] } ?? [])
    let isOther = signer.map { wanted in signers.contains { $0 != wanted } } ?? false
    if isOther { decision.add(.altered(at: nil, what: "signer")) }
    decision.add(altered: seal?.problem)
    if let cut = log.cut { decision.add(.incomplete(from: cut)) }
    let next = log.chain.sequence + 1
    let isUnfinished = log.chain.sequence == 0 || log.findings.isAhead
    if isUnfinished || (seal == nil && log.endsWithSeal) { decision.add(.incomplete(from: next)) }
    if let missing = seal?.missingFrom(log.chain) { decision.add(.incomplete(from: missing)) }
    // A log that was cut differs from its manifest: that it was cut says more.
    if seal != nil { decision.settle() }

    var checks = log.checks
    checks.append(disclosure.isHidden ? Disclosure.bodiesCheck : log.contents.check(durability))
    checks.append(log.findings.check(durability))
    checks.append(description.check(log, isSealed: seal != nil))
    if let check = disclosure.check { checks.append(check) }
    if let signer {
      checks.append(
        VerificationReport.Check(
          name: "signer",
          isGood: !isOther,
          detail: isOther ? "signed by another key, or by none" : "the key with SHA-256 \(signer)"
        )
      )
    }
    if let seal {
      let (check, problem) = try seal.compare(path, log.state, purges, progress)
      checks += [seal.signatureCheck, check]
      decision.add(altered: problem)
      decision.add(altered: purges.problem)
      if let check = purges.check { checks.append(check) }
    } else {
      checks.append(
        VerificationReport.Check(
          name: "seal",
          isGood: nil,
          detail: log.endsWithSeal
            ? "begun: its last line is there, manifest.json is not"
            : "not sealed: lines cut off at the end would not be noticed"
        )
      )
    }
    let timestamp =
      seal == nil ? nil : try TimestampVerification.check(root: path, roots: roots)
    if let check = TimestampVerification.check(timestamp, isRequired: roots != nil) {
      checks.append(check)
      decision.add(altered: TimestampVerification.problem(timestamp, isRequired: roots != nil))
    }
    var claims = log.wire
    claims.removed.formUnion(purges.wire)
    let wire = try WireVerification(root: path, keys: disclosure.keys, claims, durability)
    if let check = wire.check { checks.append(check) }
    decision.add(wire.ruling)
    return VerificationReport(
      outcome: decision.outcome,
      checks: checks,
      isSealed: seal != nil,
      lines: log.chain.sequence,
      lastHash: String(decoding: log.chain.hash, as: UTF8.self),
      timestamp: timestamp
    )
  }
}

/// What all verdicts come to: the first alteration, or else the first line from which something is missing.
private struct Decision {
  private var altered: VerificationReport.Outcome?
  private var incomplete: UInt64?
  private var settled: VerificationReport.Outcome?

  mutating func add(_ ruling: Ruling?) {
    switch ruling {
    case .altered(let sequence, let what)?:
      self.altered = self.altered ?? .altered(at: sequence, what: what)
    case .incomplete(let sequence)?:
      self.incomplete = min(self.incomplete ?? .max, sequence)
    case nil: return
    }
  }

  mutating func add(altered what: String?) {
    if let what { self.add(.altered(at: nil, what: what)) }
  }

  /// Lets nothing that is added after this change what there is.
  mutating func settle() {
    if self.altered != nil || self.incomplete != nil { self.settled = self.outcome }
  }

  var outcome: VerificationReport.Outcome {
    self.settled ?? self.altered ?? self.incomplete.map { .incomplete(from: $0) } ?? .intact
  }
}

/// Checks case.json, and what must agree with it or with the log besides it.
private struct DescriptionVerification {
  private let root: String
  private let bytes: Bytes?
  private let secretDigest: String?
  private let disclosure: Disclosure

  init(root: String, _ disclosure: Disclosure) {
    self.root = root
    self.disclosure = disclosure
    self.bytes = try? Folder.read(root + "/case.json", limit: 16 << 20)
    let object = self.bytes.flatMap { JSONValue($0)?.object }
    self.secretDigest = object?["secret_sha256"]?.string
  }

  /// What is wrong.
  func problem(_ log: borrowing LogVerification) -> String? {
    guard let wanted = log.caseDigest else { return nil }
    guard let bytes = self.bytes, Hex.encode(Digest.sha256.hash(bytes)) == wanted else {
      return "case.json"
    }
    guard let secretDigest = self.secretDigest, !self.disclosure.isHidden,
      let file = try? Folder.read(self.root + "/" + SecretFile.name, limit: 4_096)
    else { return nil }
    let secret = self.disclosure.keys.map { $0.open(secret: file.array) } ?? file.array
    return secret.map { Hex.encode(Digest.sha256.hash($0)) } == secretDigest ? nil : "secret"
  }

  /// What is wrong with signer.pem, which no manifest lists yet.
  func signerProblem(_ log: borrowing LogVerification) -> String? {
    guard let signer = log.heads.lastSigner else { return nil }
    let file = try? Folder.read(self.root + "/" + SignerFile.name, limit: 4_096)
    return file?.elementsEqual(SignerFile.pem(signer)) == true ? nil : SignerFile.name
  }

  /// The line of the report.
  func check(_ log: borrowing LogVerification, isSealed: Bool) -> VerificationReport.Check {
    let problem = self.problem(log) ?? (isSealed ? nil : self.signerProblem(log))
    return VerificationReport.Check(
      name: "case",
      isGood: log.caseDigest.map { _ in problem == nil },
      detail: problem.map { "\($0) is not the one that the log speaks of" }
        ?? "case.json is the one that the log began with"
    )
  }
}
