// Package lab runs the classic experiments with listen(2)'s two queues, and the
// outages that come of them, as lessons that check what they say.
//
// # A lab
//
// A lab is a function over a Scene, in a file of its own, and an entry in All. It
// says what is about to happen, makes it happen with real clients, shows what was
// seen, and claims:
//
//	func fullQueue(s *Scene) {
//		server := s.Up(func(c *endpoint.Config) { c.Accept = app.Off })
//		s.Step("Thirteen clients fill the queue; nobody calls accept.")
//		server.Connect(13)
//		server.WaitFor("13 connections are queued", func() bool { return server.Count(handshake.Promoted) == 13 })
//		s.Claim(server.Completed() == 13, "13 connections wait for accept")
//	}
//
// The vocabulary: Step and Say tell; Up brings an endpoint up in a network
// namespace of its own; Connect begins connections of the kernel's, which
// Client.Wait and Client.State follow; Accept, Set and Status are the commands of
// that name; WaitFor waits for what the listener says; Show prints events and
// packets as they were; Run runs a program in the namespace; Claim checks.
//
// Whatever goes wrong that is no claim ends the lab: the methods of a Scene do
// not return errors, they leave it, and Run returns why. A lab needs no cleanup:
// what it made goes with its Scene, also when its context ends in the middle.
//
// # Concurrency
//
// A Scene is used from one goroutine. Run waits for all that it started.
package lab
