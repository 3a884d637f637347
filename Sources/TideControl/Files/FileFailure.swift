internal import Glibc

/// Why a file of ours could not be made or read: what, where, what to do.
public struct FileFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: Hashable, Sendable {
    /// There is no such file or folder.
    case missing
    /// A file is there that was not to be replaced.
    case exists
    /// Others can read a secret.
    case readableByOthers
    /// It is not a regular file, or not a folder.
    case wrongKind
    /// It is larger than it can sensibly be.
    case tooLarge
    /// The system refused; its error number.
    case system(Int32)
  }

  /// What went wrong.
  public let code: Code
  /// The file or folder, as it was named to us.
  public let path: String
  /// What is the matter, for people.
  public let detail: String
  /// What to do about it; empty if that is plain.
  public let remedy: String

  /// Joins a failure.
  init(_ code: Code, path: String, detail: String, remedy: String = "") {
    self.code = code
    self.path = path
    self.detail = detail
    self.remedy = remedy
  }

  /// Joins what was tried and why the system refused.
  static func system(_ number: Int32, path: String, doing what: String) -> FileFailure {
    let reason = unsafe String(cString: strerror(number))
    let code: Code =
      switch number {
      case ENOENT: .missing
      case EEXIST: .exists
      default: .system(number)
      }
    return FileFailure(code, path: path, detail: "cannot \(what): \(reason)")
  }
}

extension FileFailure: CustomStringConvertible {
  /// `path: detail; remedy`.
  public var description: String {
    "\(self.path): \(self.detail)" + (self.remedy.isEmpty ? "" : "; \(self.remedy)")
  }
}
