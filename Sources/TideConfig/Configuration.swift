public import TideCore
public import TidePolicy
public import TideRegion

/// The product's settings (PRODUCT.md section 5): every key with its default, typed and already valid.
///
/// Paths are as the process sees them: the file's own were resolved against its folder. All is `var` so
/// that flags, which override the environment and the file, are applied by assignment.
public struct Configuration: Sendable {
  /// The file as named; what was written relative in it is relative to its folder.
  public let path: String
  /// The ceiling on what is done.
  public var mode: Mode = .record
  /// Where and for whom the proxy listens.
  public var listen = Listen()
  /// The dashboard and the API.
  public var ui = UserInterface()
  /// The interception authority.
  public var ca = CA()
  /// Both TLS legs.
  public var tls = TLS()
  /// Resolving and dialling.
  public var upstream = Upstream()
  /// Where addresses lie.
  public var regions = Regions()
  /// The folder with one YAML file per device.
  public var devices = "devices"
  /// The rule files, in order.
  public var rules = ["rules/default.yaml"]
  /// Whether `rules` was left at its default, so that a missing file falls back to `DefaultRules`.
  public var rulesAreDefault = true
  /// How deep bodies are looked into.
  public var inspect = Inspect()
  /// The case folder and what is kept in it.
  public var caseFolder = Case()
  /// How long each wait may last.
  public var timeouts = Timeouts()
  /// The number of event loops; nil lets the engine choose.
  public var loops: Int?
  /// The program's own log.
  public var log = Log()

  /// What holds without a file: the paths are relative to the working directory.
  public static let defaults = Configuration(path: "tidewaiter.yaml")

  /// The folder that relative paths in the file start from; empty for the working directory.
  public var basePath: String { Paths.folder(of: self.path) }

  /// The defaults as they hold for a file at `path`.
  init(path: String) {
    self.path = path
    let base = Paths.folder(of: path)
    self.devices = Paths.join(base, self.devices)
    self.rules = self.rules.map { Paths.join(base, $0) }
    self.ca.directory = Paths.join(base, self.ca.directory)
    self.caseFolder.directory = Paths.join(base, self.caseFolder.directory)
  }

  /// The data plane's limits with those that the configuration sets.
  public var limits: Limits {
    var limits = Limits()
    limits.windowBytes = self.inspect.window
    limits.holdBytes = self.inspect.holdLimit
    limits.decodedBytes = self.inspect.decodedLimit
    limits.decodedRatio = self.inspect.ratio
    limits.decodedDepth = self.inspect.depth
    let time = self.inspect.time.components
    limits.decodedTime = UInt64(
      clamping: time.seconds * 1_000_000_000 + time.attoseconds / 1_000_000_000
    )
    return limits
  }
}

extension Configuration {
  /// `listen`: where and for whom the proxy listens.
  public struct Listen: Hashable, Sendable {
    /// The proxy's addresses.
    public var proxy = [ListenAddress(address: .v4(0), port: 8_080)]
    /// The client addresses that are served: loopback and private ones by default.
    public var allow: [CIDR] = ["loopback", "private"].flatMap {
      AddressWords.clients.read($0) ?? []
    }
    /// Who of these clients is served.
    public var auth = Authentication.off
  }

  /// `listen.auth`: how a device says which one it is.
  public enum Authentication: Hashable, Sendable {
    /// Whoever `listen.allow` lets in is served.
    case off
    /// By user and password; the file is one of htpasswd's.
    case basic(String)
    /// By a token; the file has `NAME:TOKEN` lines.
    case tokens(String)
  }

  /// `ui`: the dashboard and the API.
  public struct UserInterface: Hashable, Sendable {
    /// Their address.
    public var listen = ListenAddress(address: .v4(0x7F00_0001), port: 8_081)
  }

  /// `ca`: the interception authority.
  public struct CA: Hashable, Sendable {
    /// The kinds of key it can have.
    public enum Key: String, CaseIterable, Sendable {
      /// ECDSA on P-256.
      case p256
      /// RSA with 2,048 bits, for devices that know nothing else.
      case rsa2048
    }

    /// The folder of `ca.crt` and `ca.key`.
    public var directory = "certs"
    /// The kind of key that a new authority gets.
    public var key = Key.p256
    /// How long a new authority lives.
    public var lifetime: Duration = .seconds(90 * 86_400)
    /// The names and blocks of addresses that a new authority is limited to; empty for no limit.
    public var permit: [String] = []
    /// The file of the passphrase of `ca.key`, or of the token's PIN; nil to be asked on the terminal.
    public var passphraseFile: String?
    /// The PKCS #11 URI of the key that stands in for `ca.key`; nil for the file.
    public var pkcs11: String?
    /// Whether each case has an authority of its own.
    public var isPerCase = false
  }

  /// `tls`: both legs.
  public struct TLS: Hashable, Sendable {
    /// Whom upstream certificates must lead to.
    public enum Roots: Hashable, Sendable {
      /// The system's own store.
      case system
      /// A PEM file.
      case file(String)
    }

    /// What becomes of an upstream that does not verify.
    public enum UpstreamVerify: String, CaseIterable, Sendable {
      /// It is refused.
      case strict
      /// The device gets a leaf that it can trust as little.
      case mirror
      /// It is recorded, and the device gets a leaf of ours as always.
      case off
    }

    /// Where revocation is looked for.
    public enum Revocation: String, CaseIterable, Sendable {
      /// In stapled answers and in the files of `crls`.
      case staple
      /// There, and at the CRLs and OCSP responders that certificates name.
      case fetch
      /// Nowhere.
      case off
    }

    /// One of `client_certs`: who the proxy says it is to the servers that ask.
    public struct ClientCertificate: Hashable, Sendable {
      /// The pattern of the hosts that get it.
      public var host: String
      /// The PEM file of the certificate and those that follow it.
      public var certificate: String
      /// The PEM file of its key.
      public var key: String

      /// Joins an entry.
      public init(host: String, certificate: String, key: String) {
        self.host = host
        self.certificate = certificate
        self.key = key
      }
    }

    /// When a host that a device refuses to have intercepted is passed through.
    public struct LearnPassthrough: Hashable, Sendable {
      /// After so many refused handshakes.
      public var after = 3
      /// For so long.
      public var duration: Duration = .seconds(3_600)
    }

    /// Whom upstream certificates must lead to.
    public var upstreamRoots = Roots.system
    /// What becomes of an upstream that does not verify.
    public var upstreamVerify = UpstreamVerify.strict
    /// Where revocation is looked for.
    public var revocation = Revocation.staple
    /// The files with certificate revocation lists.
    public var crls: [String] = []
    /// The certificates for servers that ask for one; the first whose host matches is given.
    public var clientCertificates: [ClientCertificate] = []
    /// What becomes of domain fronting.
    public var fronting = PolicySettings.Fronting.refuse
    /// The host patterns that are not intercepted if both CONNECT name and server name match.
    public var passthrough = ["captive.apple.com", "connectivitycheck.gstatic.com"]
    /// When a pinned host is passed through.
    public var learnPassthrough = LearnPassthrough()
  }

  /// `upstream`: resolving and dialling.
  public struct Upstream: Hashable, Sendable {
    /// Who is asked for names, in this order; the system's resolver if nobody.
    public var nameServers: [NameServer] = []
    /// The addresses of names, consulted before any look-up.
    public var hosts: [Hostname: [IPAddress]] = [:]
    /// The special-use addresses that may be dialled.
    public var allowSpecialUse: [CIDR] = []
  }

  /// `regions`: where addresses lie.
  public struct Regions: Hashable, Sendable {
    /// The databases: tor-geoipdb's text files and `*.mmdb`.
    public var databases = ["/usr/share/tor/geoip", "/usr/share/tor/geoip6"]
    /// Whether `databases` was left at its default.
    public var databasesAreDefault = true
    /// The regions that `watched` means in rules.
    public var watch = ["CN"]
    /// The words of `watch` that rule files have to have sets for.
    public var watchElsewhere: [Elsewhere] = []
    /// The operator's named regions, in the order of the file.
    public var sets = [
      RegionSet(
        name: "lab-cn",
        country: "CN",
        cidrs: CIDR(.v4(0x7F42_0000), prefixLength: 16).map { [$0] } ?? []
      )
    ]
  }

  /// `inspect`: how deep bodies are looked into.
  public struct Inspect: Hashable, Sendable {
    /// What is held back at most so that no match is partly released, in bytes.
    public var window = 64 << 10
    /// The largest body that is held whole, in bytes.
    public var holdLimit = 1 << 20
    /// The most decoded bytes per flow and direction.
    public var decodedLimit = 8 << 20
    /// The most encodings inside one another.
    public var depth = 8
    /// The most decoded bytes per encoded byte.
    public var ratio = 100
    /// The most time per flow and direction.
    public var time: Duration = .milliseconds(250)
    /// The names of the inspectors to run; nil for all.
    public var inspectors: [String]?
    /// The ICAP services that messages are shown to, in this order.
    public var icap: [ICAPService] = []
    /// The programs that messages are shown to after them, in this order.
    public var processes: [ScanProcess] = []
  }

  /// `case`: the case folder and what is kept in it.
  public struct Case: Hashable, Sendable {
    /// What happens when evidence cannot keep up.
    public enum Evidence: String, CaseIterable, Sendable {
      /// Traffic waits.
      case required
      /// Events are dropped and counted.
      case bestEffort = "best-effort"
    }

    /// Where the key is that a case is encrypted with.
    public enum EncryptKey: Hashable, Sendable {
      /// A file of 32 bytes, or of 64 hexadecimal digits.
      case key(String)
      /// A file of a passphrase.
      case passphrase(String)
    }

    /// The folder of all cases.
    public var directory = "cases"
    /// The case's name; nil for one made of the date.
    public var name: String?
    /// The most bytes that a case may occupy; nil for no limit.
    public var maxSize: UInt64? = 20 << 30
    /// How long a case is kept; nil for ever.
    public var maxAge: Duration?
    /// What happens when evidence cannot keep up.
    public var evidence = Evidence.required
    /// How long an event may wait for the disk.
    public var fsync: Duration = .seconds(1)
    /// Whether the device leg's TLS records and keys are kept.
    public var wire = true
    /// What encrypts a case; nil for cases that anybody can read who has their folder.
    public var encryptKey: EncryptKey?
    /// Where a case is time-stamped when it is sealed (RFC 3161); nil for nowhere.
    public var tsa: String?
  }

  /// `log`: the program's own log, which never holds payload, credentials or keys.
  public struct Log: Hashable, Sendable {
    /// What is logged, from most to least.
    public enum Level: String, CaseIterable, Sendable {
      /// Everything.
      case debug
      /// Start, stop and reload too.
      case info
      /// What an operator acts on too.
      case notice
      /// What should not be, but is survived, too.
      case warning
      /// What was lost.
      case error
    }

    /// How a line looks.
    public enum Format: String, CaseIterable, Sendable {
      /// For people.
      case text
      /// One object a line.
      case json
    }

    /// What is logged.
    public var level = Level.info
    /// How a line looks.
    public var format = Format.text
  }
}
