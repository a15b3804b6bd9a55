package capture

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"tcplab/internal/endpoint"
)

// How many bytes of a packet may be kept.
const (
	Snaplen    = 262144 // as many as any packet has, and what tcpdump takes
	MinSnaplen = 64     // the headers are there
)

// CheckSnaplen says what is wrong with a number of bytes to keep.
func CheckSnaplen(n int) error {
	if n < MinSnaplen || n > Snaplen {
		return fmt.Errorf("give %d to %d bytes", MinSnaplen, Snaplen)
	}
	return nil
}

// Info is what a capture says about itself.
type Info struct {
	Dev     string // name of the interface
	Snaplen int    // bytes kept of each packet
	Comment string // what listens there, under which rule
}

// Describe is the Info of an endpoint.
func Describe(s endpoint.Status, snaplen int) Info {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, accept %s", s.App, s.Accept)
	for i := range s.Listeners {
		l := &s.Listeners[i]
		fmt.Fprintf(&b, "; %s %s; backlog %d, somaxconn %d", s.AddrsText(i), l.RuleText(), l.Backlog, l.Somaxconn)
	}
	return Info{Dev: s.Dev, Snaplen: snaplen, Comment: b.String()}
}

func (i *Info) ngInterface() pcapgo.NgInterface {
	return pcapgo.NgInterface{
		Name:        i.Dev,
		Description: "between the host and tcplab's endpoint",
		OS:          system(),
		LinkType:    layers.LinkTypeRaw,
		SnapLength:  uint32(i.Snaplen),
	}
}

func (i *Info) ngOptions() pcapgo.NgWriterOptions {
	return pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Hardware:    runtime.GOARCH,
		OS:          system(),
		Application: "tcplab",
		Comment:     i.Comment,
	}}
}

// system is the operating system with its release: "Linux 6.18.5".
func system() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}
