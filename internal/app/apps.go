package app

import (
	"context"
	"fmt"
	"net"
	"strings"
)

// App is an application that can be served.
type App struct {
	Name  string
	About string // what it does with a connection, in a few words
	start func(context.Context, *Config) application
}

// application is an App at work.
type application interface {
	// serve serves a connection. It returns when the connection is done with,
	// and soon when the connection is closed under it; the caller closes it.
	serve(ctx context.Context, conn net.Conn)
	// close ends what start began, after the last serve has returned.
	close()
}

// apps is every application in the order in which they are listed; the first
// is the default.
var apps = []App{
	{"http", "a web server: a page about the queues, /bytes/N, /sleep/D, /upload", startWeb},
	{"fastcgi", "the same behind a web server that speaks FastCGI, as php-fpm is", startFastCGI},
	{"echo", "sends back what it gets", stream(echo)},
	{"discard", "reads and throws away", stream(discard)},
	{"hold", "accepts and says nothing", stream(hold)},
}

// Names returns the names of all applications.
func Names() []string {
	names := make([]string, len(apps))
	for i, a := range apps {
		names[i] = a.Name
	}
	return names
}

// Lookup finds an application by its name; no name is the default, http. The
// error lists the names that there are.
func Lookup(name string) (App, error) {
	if name == "" {
		return apps[0], nil
	}
	for _, a := range apps {
		if a.Name == name {
			return a, nil
		}
	}
	return App{}, fmt.Errorf("unknown application %q: known are %s", name, strings.Join(Names(), ", "))
}
