// swift-tools-version: 6.2
import PackageDescription

// The libFuzzer targets: a package of their own, over the same sources by a link, because everything
// here is instrumented and links another `main`. `Scripts/fuzz` builds and runs them.

/// As in the product's Package.swift, plus coverage for libFuzzer and AddressSanitizer.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"]),
]

func system(_ name: String, _ pkgConfig: String) -> Target {
  .systemLibrary(name: name, path: "Product/\(name)", pkgConfig: pkgConfig)
}

func product(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(
    name: name,
    dependencies: dependencies,
    path: "Product/\(name)",
    swiftSettings: settings
  )
}

func fuzzer(_ folder: String, _ dependencies: [Target.Dependency]) -> Target {
  .executableTarget(
    name: "fuzz-\(folder.lowercased())",
    dependencies: ["Support", "TideCore"] + dependencies,
    path: folder,
    swiftSettings: settings,
    linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]
  )
}

let package = Package(
  name: "fuzz",
  targets: [
    system("COpenSSL", "openssl"),
    system("CCrypt", "libxcrypt"),
    system("CZlib", "zlib"),
    system("CZstd", "libzstd"),
    system("CNghttp2", "libnghttp2"),
    system("CMaxMindDB", "libmaxminddb"),
    system("CVectorscan", "libhs"),

    product("TideCore", []),
    product("TideCrypto", ["TideCore", "COpenSSL", "CCrypt"]),
    product("TideCoding", ["TideCore", "CZlib", "CZstd"]),
    product("TideRegion", ["TideCore", "CMaxMindDB"]),
    product("TidePolicy", ["TideRegion", "TideCore"]),
    product("TideHTTP", ["TideCore", "TideCoding", "TideCrypto", "CNghttp2"]),
    product("TideTLS", ["TideCore", "COpenSSL"]),
    product("TideInspect", ["TideCore", "TideCoding", "TideCrypto", "CVectorscan"]),
    product(
      "TideProxy",
      [
        "TideCoding", "TideCore", "TideCrypto", "TideHTTP", "TideInspect", "TidePolicy", "TideTLS",
      ]
    ),

    .target(name: "CLibFuzzer", path: "CLibFuzzer"),
    .target(
      name: "Support",
      dependencies: ["CLibFuzzer", "TideCore"],
      path: "Support",
      swiftSettings: settings
    ),
    fuzzer("HTTP1", ["TideHTTP"]),
    fuzzer("HTTP2", ["TideHTTP"]),
    fuzzer("WebSocket", ["TideHTTP"]),
    fuzzer(
      "Connection",
      ["TideHTTP", "TideInspect", "TidePolicy", "TideProxy", "TideRegion", "TideTLS"]
    ),
  ]
)
