// Package tcpmem bounds the memory that the buffers of all connections hold
// together, as net.ipv4.tcp_mem does for a kernel.
//
// # Model
//
// A Pool has a number of bytes. A connection reserves what it is about to hold,
// and releases what it holds no more. How much one connection may hold depends
// on how much all of them do, and on what the connection got done:
//
//	without progress   an eighth of what is left below Pressure, at most Initial
//	with progress      an eighth of what is left below High, at most four times
//	                   what was delivered lately, at most Max
//	always             Min
//
// An eighth of what is left is the dynamic threshold of Choudhury and Hahne
// ("Dynamic Queue Length Thresholds for Shared-Memory Packet Switches", 1998): it
// shrinks by itself as connections come, and never takes the last byte. What lies
// between Pressure and High is only for connections that deliver: thousands of
// clients that read nothing leave a fast one its buffer.
//
// Min is counted for nobody. So all connections together never hold more than
// High and Min for each of them, and their minima take nothing from the fast ones.
//
// # Concurrency
//
// Limits are constant. A Pool is safe for concurrent use and takes no lock.
package tcpmem
