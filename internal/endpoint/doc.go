// Package endpoint brings up what "tcplab up" serves, from one Config: an
// interface, a TCP/IP stack behind it, a listener on each port, and an
// application on the listeners.
//
//	tun.Device ◄── stack.Stack ◄── listener.Listener (one a port) ◄── app.Server
//	                                     │ Observer                      │ app.Gate
//	                                     ▼                               ▼
//	                                events.Hub                     Settings, Accept
//	                                trace.Recorder, which sees the stack's packets too
//
// Up makes these from left to right and Close ends them from right to left; an
// error half-way undoes what is there.
//
// # Network namespaces
//
// The interface belongs to the network namespace of the thread that calls Up.
// From then on the endpoint can be used from any thread.
//
// # Concurrency
//
// An Endpoint is safe for concurrent use. It has one goroutine of its own, which
// runs the application; Close ends it and waits for it.
package endpoint
