package watch

import (
	"charm.land/lipgloss/v2"

	"tcplab/listener/handshake"
)

// The colours are the terminal's own sixteen, so they suit a light and a dark
// background alike; nothing rests on them alone.
var (
	faint      = lipgloss.NewStyle().Faint(true)
	strong     = lipgloss.NewStyle().Bold(true)
	inverse    = lipgloss.NewStyle().Reverse(true)
	incomplete = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	completed  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	refused    = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
	accepted   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	alarm      = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true).Reverse(true)
)

// kindStyles are those of events by their kinds; others are plain.
var kindStyles = map[string]lipgloss.Style{
	handshake.SYNDropped.String(): refused,
	handshake.ACKDropped.String(): refused,
	handshake.ACKReset.String():   refused,
	handshake.Evicted.String():    refused,
	handshake.Expired.String():    incomplete,
	handshake.Promoted.String():   completed,
	handshake.Accepted.String():   accepted,
}
