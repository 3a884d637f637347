internal import Foundation
public import TideCore

/// What a device gets instead of an answer that did not come through: who stopped it and why.
public struct BlockPage: Sendable {
  /// The rule that blocked, as far as the page tells of it.
  public struct Rule: Hashable, Sendable {
    /// Its name.
    public let id: RuleID
    /// What it is for; empty if its author did not say.
    public let description: String
    /// The region that the flow was bound for.
    public let region: String

    /// Joins what the page tells of a rule.
    public init(id: RuleID, description: String, region: String) {
      self.id = id
      self.description = description
      self.region = region
    }
  }

  private let status: Int
  private let failure: FlowFailure
  private let rule: Rule?
  private let host: String
  private let mode: Mode
  private let caseName: String

  /// Joins what there is to say.
  ///
  /// - Parameters:
  ///   - status: the status code, chosen by whoever refuses.
  ///   - failure: why.
  ///   - rule: the rule, if one blocked.
  ///   - host: the destination as the client named it; escaped here.
  ///   - mode: the mode in force.
  ///   - caseName: the case in which the flow is recorded.
  public init(
    status: Int,
    failure: FlowFailure,
    rule: Rule? = nil,
    host: String,
    mode: Mode,
    caseName: String
  ) {
    self.status = status
    self.failure = failure
    self.rule = rule
    self.host = host
    self.mode = mode
    self.caseName = caseName
  }

  /// Makes the response in the form and language that the client prefers.
  ///
  /// - Parameters:
  ///   - accept: the request's `Accept`; empty if absent. JSON only if it is preferred to HTML.
  ///   - acceptLanguage: the request's `Accept-Language`; empty if absent.
  /// - Returns: the whole response.
  public func render(accept: String, acceptLanguage: String) -> PageResponse {
    let language = PageLanguage(query: "", acceptLanguage: acceptLanguage)
    var extra: [(String, String)] = []
    if self.status == 451 {
      // RFC 7725 §4 asks for the identity of whoever blocks: this proxy.
      extra.append(("Link", "<http://\(OnboardingSite.host)/>; rel=\"blocked-by\""))
    }
    if Negotiation.prefersJSON(accept: accept) {
      return PageResponse(
        status: self.status,
        type: "application/json",
        body: self.json(language),
        extra: extra
      )
    }
    return PageTemplate(language: language, title: "\(self.status) \(self.title[language])")
      .response(status: self.status, main: self.html(language), extra: extra)
  }

  private var title: Phrase {
    if self.rule != nil { return Phrase("Blocked by a rule", "已由規則阻擋") }
    if self.failure.code == .authenticationRequired {
      return Phrase("Tidewaiter asks who you are", "Tidewaiter 需要確認您的身分")
    }
    switch self.failure.origin {
    case .downstream: return Phrase("Tidewaiter refused this request", "Tidewaiter 拒絕了這個請求")
    case .upstream: return Phrase("The server could not be used", "無法使用該伺服器")
    case .internal: return Phrase("Tidewaiter stopped this request", "Tidewaiter 停止了這個請求")
    }
  }

  private func html(_ language: PageLanguage) -> String {
    let text = BlockText(self.failure.code)
    var rows: [(Phrase, String)] = []
    if let rule = self.rule {
      rows.append((Phrase("Rule", "規則"), rule.id.text))
      if !rule.description.isEmpty {
        rows.append((Phrase("What it is for", "用途"), rule.description))
      }
      rows.append((Phrase("Region", "地區"), rule.region))
    }
    if !self.host.isEmpty { rows.append((Phrase("Destination", "目的地"), self.host)) }
    if !self.failure.detail.isEmpty {
      rows.append((Phrase("Detail", "細節"), self.failure.detail))
    }
    rows.append((Phrase("Mode", "模式"), self.mode.rawValue))
    rows.append((Phrase("Case", "案件"), self.caseName))
    rows.append((Phrase("Code", "代碼"), "\(self.status) \(self.failure.code.rawValue)"))
    let list = rows.map { label, value in
      "<dt>\(label[language])</dt><dd>\(PageTemplate.escape(value))</dd>"
    }
    return """
      <h1>\(self.title[language])</h1>
      <p class="note">\(text.cause[language])</p>
      <h2>\(Phrase("What to do", "怎麼辦")[language])</h2>
      <p>\(text.remedy[language])</p>
      <dl>
      \(list.joined(separator: "\n"))
      </dl>
      """
  }

  /// The JSON form: the same facts under the names that records use.
  private struct Document: Encodable {
    let error: String
    let status: Int
    let rule: String?
    let description: String?
    let region: String?
    let host: String
    let detail: String
    let mode: String
    let `case`: String
    let message: String
  }

  private func json(_ language: PageLanguage) -> Bytes {
    let document = Document(
      error: self.failure.code.rawValue,
      status: self.status,
      rule: self.rule?.id.text,
      description: self.rule?.description,
      region: self.rule?.region,
      host: self.host,
      detail: self.failure.detail,
      mode: self.mode.rawValue,
      case: self.caseName,
      message: BlockText(self.failure.code).cause[language]
    )
    return JSONLine.encode(document)
  }
}
