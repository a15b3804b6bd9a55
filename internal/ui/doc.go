// Package ui is the live page of an instance, "tcplab up --ui ADDR": the two
// queues as slots that fill and drain, a ladder diagram of each recent
// connection with the listener's reasoning between the segments, the queues'
// lengths over time, and controls. It is a thin layer over an Instance; where it
// listens and who may ask is package webguard's.
//
//	Subscribe ──► Server.tick ──► history (ladders), samples (chart), sample (events)
//	Trace     ──►     │               │ GET /api/connections/ID
//	Status    ──►     ▼               ▼
//	                frame ──► client's mailbox ──► GET /api/live (server-sent events)
//
// # The API
//
// Package webguard asks for the token of a program, or for the cookie and the
// key of the page.
//
//	GET  /                     the page; its files are embedded, and fetch nothing from elsewhere
//	GET  /api/live             server-sent events: "hello" (type Hello) first, then "frame"
//	                           (type Frame) five times a second; "lost" (type Lost) before a frame
//	                           when others were left out; "bye" when the instance ends
//	GET  /api/connections/ID   the ladder of a connection (type Ladder)
//	GET  /api/capture.pcapng   the recent packets, annotated
//	POST /api/set              {"backlog": "16"}, as "tcplab set"; answers {}
//	POST /api/accept           {"n": 1}; answers endpoint.Taken
//
// An answer with a status of 400 or more is {"error": "what is wrong and what to
// do"}. Names are those of the JSON of package endpoint and package events.
//
// # Bounds
//
// Packets never wait for a page. What happens is gathered ten times a second
// from bounded subscriptions, told five times a second, and a frame lists a
// bounded number of events, with the number of those that it does not show. A
// client whose mailbox is full loses frames, and is told how many events were in
// them. Connections, the steps of each, packets and samples are bounded too, so
// that a SYN flood of any length costs a few megabytes; connections that a
// flood made never displace those that completed.
//
// # Concurrency
//
// A Server is safe for concurrent use. It has one goroutine, which Close ends
// and waits for; each request has one of net/http's.
package ui
