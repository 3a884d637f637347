public import TideControl
public import TideProxy

/// The proxy asks, the control plane keeps: only here are both known.
extension FileRevocationCache: RevocationCache {}
