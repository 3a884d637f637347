// swift-tools-version: 6.2
import PackageDescription

// The work whose instructions are counted: a package of its own over the same sources by a link, so that
// no benchmark is part of the product, and so that counting builds only what is counted.

/// As in the product's Package.swift.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
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

/// What of the evidence needs the index, and that GRDB, which would take minutes to build.
let indexed =
  [
    "Export", "Recorder/EvidenceRecorder.swift", "Retention/CasePurge.swift",
  ]
  + [
    "CaseReader", "CaseReader+Entries", "CaseReader+Messages", "CaseReader+Search", "EvidenceIndex",
    "FlowQuery", "IndexBuilder", "IndexComparison", "IndexFields", "IndexTables", "IndexWords",
    "IndexedFlow",
  ].map { "Index/\($0).swift" }

let package = Package(
  name: "benchmarks",
  targets: [
    system("COpenSSL", "openssl"),
    system("CCrypt", "libxcrypt"),
    system("CBrotli", "libbrotlienc"),
    system("CZlib", "zlib"),
    system("CZstd", "libzstd"),
    system("CNghttp2", "libnghttp2"),
    system("CMaxMindDB", "libmaxminddb"),
    system("CVectorscan", "libhs"),
    .systemLibrary(name: "CCallgrind", path: "CCallgrind", providers: [.apt(["valgrind"])]),

    product("TideCore", []),
    product("TideCrypto", ["TideCore", "COpenSSL", "CCrypt"]),
    product("TideCoding", ["TideCore", "CBrotli", "CZlib", "CZstd"]),
    product("TideDecoding", ["TideCore", "TideCoding", "TideCrypto"]),
    product("TideRegion", ["TideCore", "CMaxMindDB"]),
    product("TidePolicy", ["TideRegion", "TideCore"]),
    product("TideHTTP", ["TideCore", "TideCoding", "TideCrypto", "CNghttp2"]),
    product("TideTLS", ["TideCore", "TideCrypto", "COpenSSL"]),
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
    // Of the evidence what writes it. The writer is internal, because only its recorder's thread may have it.
    .target(
      name: "TideEvidence",
      dependencies: ["TideCore", "TideCoding", "TideCrypto", "COpenSSL"],
      path: ".",
      exclude: ["Instructions", "CCallgrind"] + indexed.map { "Product/TideEvidence/\($0)" },
      sources: ["Evidence", "Product/TideEvidence"],
      swiftSettings: settings + [.unsafeFlags(["-enable-testing"])]
    ),

    .executableTarget(
      name: "instructions",
      dependencies: [
        "CCallgrind", "TideCoding", "TideCore", "TideEvidence", "TideHTTP", "TideInspect",
        "TidePolicy",
        "TideProxy", "TideRegion", "TideTLS",
      ],
      path: "Instructions",
      swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
    ),
  ]
)
