// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is built with: Swift 6 mode, no warning let through, C kept visible.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

/// A library target at its rank (docs/architecture.md): it imports what it lists and nothing else.
func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// A target's own tests; fixtures are found by their path beside the sources.
func tests(_ name: String, _ uses: [Target.Dependency], fixtures: [String] = []) -> Target {
  .testTarget(name: name, dependencies: uses, exclude: fixtures, swiftSettings: settings)
}

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")

let package = Package(
  name: "tidewaiter",
  products: [.executable(name: "tidewaiter", targets: ["tidewaiter"])],
  dependencies: [
    // Why each is here: docs/dependencies.md.
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Rank 0: system libraries. Each module map links one library; headers hold only macro shims.
    // Of the C library itself: need no package.
    .systemLibrary(name: "CSockets"),
    .systemLibrary(name: "CMemory"),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(
      name: "CNghttp2",
      pkgConfig: "libnghttp2",
      providers: [.apt(["libnghttp2-dev"])]
    ),
    .systemLibrary(name: "CCrypt", pkgConfig: "libxcrypt", providers: [.apt(["libcrypt-dev"])]),
    .systemLibrary(
      name: "CBrotli",
      pkgConfig: "libbrotlienc",
      providers: [.apt(["libbrotli-dev"])]
    ),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(
      name: "CMaxMindDB",
      pkgConfig: "libmaxminddb",
      providers: [.apt(["libmaxminddb-dev"])]
    ),
    .systemLibrary(
      name: "CVectorscan",
      pkgConfig: "libhs",
      providers: [.apt(["libvectorscan-dev"])]
    ),
    .systemLibrary(
      name: "CQREncode",
      pkgConfig: "libqrencode",
      providers: [.apt(["libqrencode-dev"])]
    ),

    // Rank 1: the vocabulary.
    library("TideCore", []),

    // Rank 1b: C libraries behind Swift types.
    library("TideCrypto", ["TideCore", "COpenSSL", "CCrypt"]),
    library("TideCoding", ["TideCore", "CBrotli", "CZlib", "CZstd"]),

    // Rank 1c: what values travel in.
    library("TideDecoding", ["TideCore", "TideCoding", "TideCrypto"]),

    // Rank 2: one subject each.
    library("TideRegion", ["TideCore", "CMaxMindDB"]),
    library("TidePolicy", ["TideRegion", "TideCore"]),
    library("TideHTTP", ["TideCore", "TideCoding", "TideCrypto", "CNghttp2"]),
    library("TideTLS", ["TideCore", "TideCrypto", "COpenSSL"]),
    library(
      "TideInspect",
      ["TideCore", "TideCoding", "TideCrypto", "TideDecoding", "CVectorscan"]
    ),

    // Rank 3: the proxy, without I/O.
    library(
      "TideProxy",
      [
        "TideCoding", "TideCore", "TideCrypto", "TideHTTP", "TideInspect", "TidePolicy", "TideTLS",
      ]
    ),

    // Rank 4: what touches the world.
    library(
      "TideEngineNIO",
      [
        "TideCore", "TideCrypto", "TidePolicy", "TideProxy", "CMemory", "CSockets", nioCore,
        nioPosix,
      ]
    ),
    library(
      "TideEvidence",
      [
        "TideCore", "TideCoding", "TideCrypto", "COpenSSL",
        .product(name: "GRDB", package: "GRDB.swift"),
      ]
    ),
    library("TideScan", ["TideCore", "TideProxy", nioCore, nioPosix]),
    library(
      "TideConfig",
      [
        "TideCore", "TideDecoding", "TidePolicy", "TideRegion",
        .product(name: "Yams", package: "Yams"),
      ]
    ),
    library("TideControl", ["TideCore", "TideCrypto", "CQREncode"]),

    // Rank 4b: what a case says, for people.
    library(
      "TideReport",
      ["TideCore", "TideCoding", "TideCrypto", "TideDecoding", "TideEvidence", "TideInspect"]
    ),

    // Rank 5: joins everything.
    .executableTarget(
      name: "tidewaiter",
      dependencies: [
        "TideConfig", "TideControl", "TideCore", "TideCrypto", "TideEngineNIO", "TideEvidence",
        "TideInspect", "TidePolicy", "TideProxy", "TideRegion", "TideReport", "TideScan",
        "TideTLS",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
      ],
      swiftSettings: settings
    ),

    tests("TideCoreTests", ["TideCore"]),
    tests("TideCryptoTests", ["TideCrypto", "TideCore"]),
    tests("TideCodingTests", ["TideCoding", "TideCore"]),
    tests("TideRegionTests", ["TideRegion", "TideCore"], fixtures: ["Fixtures"]),
    tests("TidePolicyTests", ["TidePolicy", "TideRegion", "TideCore"]),
    // The HTTP/1 parser is compared with llhttp, which NIO has.
    tests(
      "TideHTTPTests",
      [
        "TideHTTP", "TideCoding", "TideCore", nioCore,
        .product(name: "NIOEmbedded", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
      ]
    ),
    tests("TideTLSTests", ["TideTLS", "TideCore", "COpenSSL"]),
    tests("TideDecodingTests", ["TideDecoding", "TideCoding", "TideCrypto", "TideCore"]),
    tests(
      "TideInspectTests",
      ["TideInspect", "TideDecoding", "TideCoding", "TideCrypto", "TideCore"]
    ),
    tests(
      "TideProxyTests",
      [
        "TideProxy", "TideCore", "TideCoding", "TideHTTP", "TideInspect", "TidePolicy",
        "TideRegion", "TideTLS",
      ]
    ),
    tests(
      "TideEngineNIOTests",
      [
        "TideEngineNIO", "TideCore", "TideInspect", "TidePolicy", "TideProxy", "TideRegion",
        "TideTLS", nioCore, nioPosix,
      ]
    ),
    tests("TideScanTests", ["TideScan", "TideCore", "TideProxy", nioCore, nioPosix]),
    tests("TideEvidenceTests", ["TideEvidence", "TideCoding", "TideCrypto", "TideCore"]),
    tests(
      "TideReportTests",
      ["TideReport", "TideCore", "TideCoding", "TideCrypto", "TideEvidence", "TideInspect"]
    ),
    tests("TideConfigTests", ["TideConfig", "TidePolicy", "TideRegion", "TideCore"]),
    tests("TideControlTests", ["TideControl", "TideCore", "TideCrypto"]),
  ]
)
