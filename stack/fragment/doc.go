// Package fragment puts TCP segments together again that IPv4 has cut into
// fragments (RFC 791 section 3.2).
//
// A kernel's TCP sets DF and sizes its segments by the path's MTU, down to what
// it takes for the least one: Linux goes no lower than 48 bytes of options and data
// in a segment (net.ipv4.tcp_min_snd_mss). Where the interface's MTU is less than
// that and its headers, or where it has learned a path MTU below 552
// (net.ipv4.route.min_pmtu, which it remembers for ten minutes), it clears DF and
// sends fragments. IPv6 has no MTU below 1280, so that nobody's TCP needs fragments
// there.
//
// Fragments that overlap make no packet: the datagram is dropped, with what comes
// of it later (RFC 5722 for IPv6, RFC 1858 section 3 for IPv4; inet_frag_queue_insert
// in Linux). What may wait has bounds in bytes and time. Nothing here reads a clock.
package fragment
