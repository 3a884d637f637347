/// Paths as text: nothing here looks at a file.
enum Paths {
  /// The folder of a file, as written; empty for the working directory.
  static func folder(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "" }
    return slash == file.startIndex ? "/" : String(file[..<slash])
  }

  /// `path` as seen from `base`, without a slash at its end.
  static func join(_ base: String, _ path: String) -> String {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    guard !path.hasPrefix("/"), !base.isEmpty else { return path }
    return base.hasSuffix("/") ? base + path : base + "/" + path
  }
}
