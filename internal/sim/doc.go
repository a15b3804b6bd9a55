// Package sim tests the whole endpoint on a bad line in memory: its clients are
// those of a second netstack, its device loses, repeats, reorders, corrupts and
// truncates packets as a seed decides. It needs no root.
//
//	netstack, as the host ── tuntest.Device ── tunfault.Device ── endpoint.Endpoint
//
// What has to hold, whatever the line does: each byte that arrives is right,
// neither queue holds more than the profile allows, and in the end no entry, no
// connection and no translation is left.
package sim
