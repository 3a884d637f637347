public import TideCore

/// The languages that a report is written in.
public enum ReportLanguage: String, CaseIterable, Sendable {
  /// English.
  case english = "en"
  /// Chinese as written in Taiwan.
  case traditionalChinese = "zh-TW"
}

/// A procedure whose steps, told by marks, are laid over what was recorded.
public enum ReportProtocol: String, CaseIterable, Sendable {
  /// The test of a new telephone that F-Secure published in August 2014.
  case firstBoot = "first-boot"
}

/// What a report is to be.
public struct ReportOptions: Sendable {
  /// The language.
  public var language: ReportLanguage
  /// Whether values, what stands around them and the devices' names are left out.
  public var isShareSafe: Bool
  /// The procedure to lay over it; nil for none.
  public var procedure: ReportProtocol?
  /// The version of the tool that makes it.
  public var toolVersion: String
  /// When it is made.
  public var made: WallTime

  /// Joins the options.
  public init(
    language: ReportLanguage = .english,
    isShareSafe: Bool = false,
    procedure: ReportProtocol? = nil,
    toolVersion: String,
    made: WallTime
  ) {
    self.language = language
    self.isShareSafe = isShareSafe
    self.procedure = procedure
    self.toolVersion = toolVersion
    self.made = made
  }
}
