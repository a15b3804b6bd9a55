package segment

// Checksum is the Internet checksum of b on top of initial, as the package
// computes it.
func Checksum(initial uint64, b []byte) uint16 { return ^fold(sum(initial, b)) }
