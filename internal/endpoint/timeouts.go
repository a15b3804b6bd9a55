package endpoint

import (
	"fmt"
	"strconv"
	"time"

	"tcplab/stack"
)

// defaultTimeouts have a client that vanished, or reads nothing of what it asked
// for, gone after five minutes. A kernel waits for more than two hours, and only
// if the program asks for keepalive.
var defaultTimeouts = stack.ClientTimeouts{
	User:              5 * time.Minute,
	KeepaliveTime:     2 * time.Minute,
	KeepaliveInterval: 20 * time.Second,
	KeepaliveProbes:   9,
}

const (
	minTimeout         = 100 * time.Millisecond
	maxTimeout         = 24 * time.Hour
	maxKeepaliveProbes = 127 // MAX_TCP_KEEPCNT
)

func parseUserTimeout(s *Settings, value string) error {
	return parseTimeout(&s.Timeouts.User, value, true, "TCP_USER_TIMEOUT")
}

func parseKeepaliveTime(s *Settings, value string) error {
	return parseTimeout(&s.Timeouts.KeepaliveTime, value, true, "net.ipv4.tcp_keepalive_time")
}

func parseKeepaliveInterval(s *Settings, value string) error {
	return parseTimeout(&s.Timeouts.KeepaliveInterval, value, false, "net.ipv4.tcp_keepalive_intvl")
}

// parseTimeout reads a time; off says that 0 is one.
func parseTimeout(target *time.Duration, value string, off bool, sysctl string) error {
	d, err := time.ParseDuration(value)
	switch {
	case err == nil && d == 0 && off:
	case err == nil && d >= minTimeout && d <= maxTimeout:
	case off:
		return fmt.Errorf("give a time from %v to %v, like 30s, or 0 for never (%s)", minTimeout, maxTimeout, sysctl)
	default:
		return fmt.Errorf("give a time from %v to %v, like 30s (%s)", minTimeout, maxTimeout, sysctl)
	}
	*target = d
	return nil
}

func parseKeepaliveProbes(s *Settings, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > maxKeepaliveProbes {
		return fmt.Errorf("give a number from 1 to %d (net.ipv4.tcp_keepalive_probes)", maxKeepaliveProbes)
	}
	s.Timeouts.KeepaliveProbes = n
	return nil
}
