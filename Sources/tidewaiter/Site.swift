import Foundation
import TideControl
import TideCore
import TideProxy

/// Joins the proxy's own pages with the data plane.
///
/// The proxy's port is known only once it listens, so the pages are set then.
final class Site: LocalSite {
  private let onboarding: OnboardingSite
  private let mode: Mode
  private let caseName: String

  init(onboarding: OnboardingSite, mode: Mode, caseName: String) {
    self.onboarding = onboarding
    self.mode = mode
    self.caseName = caseName
  }

  func isOwn(_ host: Hostname) -> Bool {
    host.text == OnboardingSite.host || host.text == OnboardingSite.checkHost
  }

  func respond(to request: LocalRequest) -> LocalResponse {
    let parts = request.path.split(
      separator: 0x3F,
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    func text(_ name: StaticString) -> String { request.head.fields.first(name)?.text ?? "" }
    let page = self.onboarding.respond(
      OnboardingRequest(
        method: request.head.method.text,
        path: parts.first.map { String(decoding: $0, as: UTF8.self) } ?? "/",
        query: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "",
        host: request.host,
        acceptLanguage: text("accept-language"),
        userAgent: text("user-agent"),
        client: request.client,
        route: request.isSecure ? .intercepted : request.isThroughProxy ? .proxied : .direct
      )
    )
    return LocalResponse(status: page.status, fields: page.fields, body: page.body)
  }

  func page(for notice: Notice) -> LocalResponse {
    let page = BlockPage(
      status: notice.status,
      failure: notice.failure,
      rule: notice.rule.map {
        BlockPage.Rule(id: $0, description: notice.ruleDescription, region: notice.region ?? "")
      },
      host: notice.authority,
      mode: self.mode,
      caseName: self.caseName
    ).render(
      accept: notice.fields.first("accept")?.text ?? "",
      acceptLanguage: notice.fields.first("accept-language")?.text ?? ""
    )
    return LocalResponse(status: page.status, fields: page.fields, body: page.body)
  }

  func clientRejectedCertificate(_ client: IPAddress) {
    self.onboarding.ledger.noteRejection(by: client)
  }
}
