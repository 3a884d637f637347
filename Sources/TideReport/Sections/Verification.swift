internal import TideCore
internal import TideEvidence

extension ReportPage {
  /// Commands that need nothing but the case's folder and tools that are everywhere.
  func verificationCommands(into html: inout HTMLWriter) {
    let words = self.text.verification
    html.element("p", words.intro)
    if self.options.isShareSafe { html.element("p", words.shareSafe) }
    html.element("h3", words.place)
    let name = self.caseArgument
    if let seal = self.facts.seal {
      self.check(
        words.signer,
        "openssl pkey -pubin -in \(name)/signer.pem -outform DER | sha256sum",
        expect: seal.signer,
        into: &html
      )
      self.check(
        words.manifest,
        "sha256sum \(name)/manifest.json",
        expect: seal.manifestDigest,
        into: &html
      )
      self.check(
        words.signature,
        "openssl pkeyutl -verify -pubin -inkey \(name)/signer.pem -rawin -in \(name)/manifest.json -sigfile \(name)/manifest.sig",
        expect: "Signature Verified Successfully",
        into: &html
      )
      let pattern =
        #"s/^{"path":"\([^"]*\)","size":[0-9]*,"sha256":"\([0-9a-f]*\)"}.*/\2  \1/p"#
      self.check(
        words.files,
        "(cd \(name) && sed -n '\(pattern)' manifest.json | sha256sum -c --quiet)",
        expect: nil,
        into: &html
      )
      if seal.token != nil {
        self.check(
          words.timestamp,
          "openssl ts -verify -in \(name)/manifest.tsr -data \(name)/manifest.json -CAfile tsa.pem",
          expect: "Verification: OK",
          into: &html
        )
      }
    } else {
      html.element("p", words.unsealed)
    }
    self.check(
      words.chain,
      "tidewaiter evidence verify \(name)",
      expect: "INTACT",
      into: &html
    )
    self.check(words.independent, "python3 verify.py \(name)", expect: "INTACT", into: &html)
  }

  private func check(
    _ what: String,
    _ command: String,
    expect: String?,
    into html: inout HTMLWriter
  ) {
    html.element("p", what)
    html.commands([command])
    guard let expect else { return }
    html.element("p", ["class": "expect c"], self.text.verification.expect(expect))
  }
}
