import Glibc

/// A place on Earth, in degrees.
struct Position: Hashable {
  let latitude: Double
  let longitude: Double

  /// Makes a position; nil if there is no such place.
  init?(latitude: Double, longitude: Double) {
    guard latitude.magnitude <= 90, longitude.magnitude <= 180 else { return nil }
    self.latitude = latitude
    self.longitude = longitude
  }

  /// Reads a profile's `latitude,longitude`.
  init?(parsing text: String) {
    let parts = text.split { $0 == "," || $0 == ";" || $0 == " " }.compactMap { Double($0) }
    guard parts.count >= 2 else { return nil }
    self.init(latitude: parts[0], longitude: parts[1])
  }

  /// The distance in metres, for places that are near each other.
  func distance(to other: Position) -> Double {
    let metres = 111_320.0
    let north = (self.latitude - other.latitude) * metres
    let east =
      (self.longitude - other.longitude) * metres * cos(self.latitude * Double.pi / 180)
    return (north * north + east * east).squareRoot()
  }

  /// `latitude,longitude` with six places.
  var text: String {
    "\(Self.text(self.latitude, places: 6)),\(Self.text(self.longitude, places: 6))"
  }

  /// A number with so many places, as positions are written.
  static func text(_ value: Double, places: Int) -> String {
    // More places than a double has of a longitude are zeros.
    let told = min(places, 12)
    var scale = 1.0
    for _ in 0..<told { scale *= 10 }
    let scaled = (value.magnitude * scale).rounded()
    guard scaled < 1e15 else { return "0" }
    let digits = String(UInt64(scaled))
    let padded = String(repeating: "0", count: max(0, told + 1 - digits.utf8.count)) + digits
    let sign = value < 0 && scaled > 0 ? "-" : ""
    if told == 0 { return sign + padded }
    let zeros = String(repeating: "0", count: places - told)
    return sign + padded.dropLast(told) + "." + padded.suffix(told) + zeros
  }

  /// The same place as maps in mainland China give it: GCJ-02, and BD-09 on top of it.
  ///
  /// The shift is 100 to 700 m. The formulas are the ones that map SDKs ship and the public
  /// analyses of them give.
  var shifted: [Position] {
    guard (72.004...137.8347).contains(self.longitude), (0.8293...55.8271).contains(self.latitude)
    else { return [] }
    let x = self.longitude - 105
    let y = self.latitude - 35
    let pi = Double.pi
    let root = x.magnitude.squareRoot()
    let wave = (20 * sin(6 * x * pi) + 20 * sin(2 * x * pi)) * 2 / 3
    var north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + wave
    north += (20 * sin(y * pi) + 40 * sin(y / 3 * pi)) * 2 / 3
    north += (160 * sin(y / 12 * pi) + 320 * sin(y * pi / 30)) * 2 / 3
    var east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + wave
    east += (20 * sin(x * pi) + 40 * sin(x / 3 * pi)) * 2 / 3
    east += (150 * sin(x / 12 * pi) + 300 * sin(x / 30 * pi)) * 2 / 3
    // Krasovsky 1940.
    let axis = 6_378_245.0
    let eccentricity = 0.00669342162296594323
    let angle = self.latitude * pi / 180
    let magic = 1 - eccentricity * sin(angle) * sin(angle)
    let radius = magic.squareRoot()
    let latitude =
      self.latitude
      + north * 180 / (axis * (1 - eccentricity) / (magic * radius) * pi)
    let longitude = self.longitude + east * 180 / (axis / radius * cos(angle) * pi)
    let gcj = Position(latitude: latitude, longitude: longitude)
    let z =
      (longitude * longitude + latitude * latitude).squareRoot()
      + 0.00002 * sin(latitude * pi * 3000 / 180)
    let theta = atan2(latitude, longitude) + 0.000003 * cos(longitude * pi * 3000 / 180)
    let baidu = Position(latitude: z * sin(theta) + 0.006, longitude: z * cos(theta) + 0.0065)
    return [gcj, baidu].compactMap { $0 }
  }

  /// A coordinate on a grid of 0.1° of latitude or 0.2° of longitude, more than 10 km between lines up to
  /// 60° north and south, that is not near any of `real`.
  ///
  /// Of the lines around the one that rounding towards zero gives, the first with as many digits before
  /// the point and the same sign.
  static func snapped(_ value: Double, isLatitude: Bool, awayFrom real: [Double]) -> Double {
    let step = isLatitude ? 0.1 : 0.2
    let limit = isLatitude ? 90.0 : 180.0
    let first = (value / step).rounded(.towardZero)
    let lines = [0.0, -1, 1, -2, 2, -3, 3].map { (first + $0) * step }.filter { line in
      line.magnitude <= limit && !real.contains { ($0 - line).magnitude < 0.03 }
    }
    let digits = { (number: Double) in number.magnitude < 10 ? 1 : number.magnitude < 100 ? 2 : 3 }
    let alike = lines.first {
      digits($0) == digits(value) && ($0 < 0) == (value < 0) && $0 != 0
    }
    return alike ?? lines.first ?? first * step
  }
}
