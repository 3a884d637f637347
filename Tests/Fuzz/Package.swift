// swift-tools-version: 6.2
import PackageDescription

// The libFuzzer targets: a package of their own, over the same sources by a link, because everything
// here is instrumented and links another `main`. `Scripts/fuzz` builds and runs them.
//
// With `$TIDEWAITER_SOAK` it is another package: the handshakes of `Scripts/soak`, which are not instrumented, so
// that valgrind can run them.

let isSoak = Context.environment["TIDEWAITER_SOAK"] != nil

/// As in the product's Package.swift, plus what tests may see, coverage for libFuzzer and AddressSanitizer.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-parse-as-library", "-enable-testing"]),
  .unsafeFlags(isSoak ? [] : ["-sanitize=fuzzer,address"]),
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

/// What both packages have.
let tls: [Target] = [
  system("COpenSSL", "openssl"),
  system("CCrypt", "libxcrypt"),

  product("TideCore", []),
  product("TideCrypto", ["TideCore", "COpenSSL", "CCrypt"]),
  product("TideTLS", ["TideCore", "TideCrypto", "COpenSSL"]),
  // Hellos, certificates and joined sessions, as the unit tests have them.
  .target(
    name: "TLSSupport",
    dependencies: ["COpenSSL", "TideCore", "TideTLS"],
    path: "TLSSupport",
    swiftSettings: settings
  ),
]

let soak: [Target] = [
  .executableTarget(
    name: "handshakes",
    dependencies: ["COpenSSL", "TLSSupport", "TideCore", "TideTLS"],
    path: "Handshakes",
    swiftSettings: settings
  )
]

let fuzz: [Target] = [
  system("CBrotli", "libbrotlienc"),
  system("CZlib", "zlib"),
  system("CZstd", "libzstd"),
  system("CNghttp2", "libnghttp2"),
  system("CMaxMindDB", "libmaxminddb"),
  system("CVectorscan", "libhs"),

  product("TideCoding", ["TideCore", "CBrotli", "CZlib", "CZstd"]),
  product("TideDecoding", ["TideCore", "TideCoding", "TideCrypto"]),
  product("TideRegion", ["TideCore", "CMaxMindDB"]),
  product("TidePolicy", ["TideRegion", "TideCore"]),
  product("TideHTTP", ["TideCore", "TideCoding", "TideCrypto", "CNghttp2"]),
  product(
    "TideInspect",
    ["TideCore", "TideCoding", "TideCrypto", "TideDecoding", "CVectorscan"]
  ),
  product(
    "TideProxy",
    [
      "TideCoding", "TideCore", "TideCrypto", "TideHTTP", "TideInspect", "TidePolicy", "TideTLS",
    ]
  ),

  // Of the engine what reads names' answers, which needs no NIO.
  .target(
    name: "TideDNS",
    dependencies: ["TideCore"],
    path: "Product/TideEngineNIO/DNS",
    exclude: ["DNSExchange.swift", "StubResolver.swift"],
    swiftSettings: settings
  ),
  // Of the scanners' clients what reads an ICAP server's answers, likewise.
  .target(
    name: "TideScan",
    dependencies: ["TideCore", "TideProxy"],
    path: "Product/TideScan",
    sources: [
      "ICAP/FieldLines.swift", "ICAP/ICAPExchange.swift", "ICAP/ICAPOptions.swift",
      "ICAP/ICAPResponse.swift", "ICAP/ICAPSettings.swift", "ICAP/ICAPVerdict.swift",
      "ScanFailure.swift",
    ],
    swiftSettings: settings
  ),

  .target(name: "CLibFuzzer", path: "CLibFuzzer"),
  .target(
    name: "Support",
    dependencies: ["CLibFuzzer", "TideCore"],
    path: "Support",
    swiftSettings: settings
  ),
  fuzzer("Hello", ["TLSSupport", "TideTLS"]),
  fuzzer("HTTP1", ["TideHTTP"]),
  fuzzer("HTTP2", ["TideHTTP"]),
  fuzzer("WebSocket", ["TideHTTP"]),
  fuzzer(
    "Connection",
    ["TideHTTP", "TideInspect", "TidePolicy", "TideProxy", "TideRegion", "TideTLS"]
  ),
  fuzzer("Decoders", ["TideDecoding"]),
  fuzzer("Redaction", ["TideCoding", "TideCrypto", "TideInspect"]),
  fuzzer("DNS", ["TideDNS"]),
  fuzzer("ICAP", ["TideProxy", "TideScan"]),
]

let package = Package(name: "fuzz", targets: tls + (isSoak ? soak : fuzz))
