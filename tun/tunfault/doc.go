// Package tunfault makes a bad line of a good device: it loses, repeats,
// reorders, delays, corrupts and truncates packets, in both directions, as a seed
// decides.
//
//	what comes ──► Faults.Next ──► deliveries, each with a delay ──► Line ──► what goes on
//
// On a device with offload a line carries packets as they are, large ones whole,
// and damage shows: see frame.arrived.
//
// Faults decides and is pure: the same seed and the same packets give the same
// deliveries. Device holds the clock and the goroutines.
package tunfault
