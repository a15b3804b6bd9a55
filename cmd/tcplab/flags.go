package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/app"
	"tcplab/internal/control"
	"tcplab/internal/endpoint"
	"tcplab/listener/backlog/profiles"
)

// value is a flag with a parser whose errors say what to give.
type value[T any] struct {
	target *T
	parse  func(string) (T, error)
	kind   string // of the value, in the help
}

func (v value[T]) Set(text string) error {
	parsed, err := v.parse(text)
	if err == nil {
		*v.target = parsed
	}
	return err
}

func (v value[T]) String() string { return fmt.Sprint(*v.target) }
func (v value[T]) Type() string   { return v.kind }

// setting is a flag for a setting that "tcplab set" can change too.
type setting struct {
	settings *endpoint.Settings
	name     string
	kind     string
}

func (s setting) Set(text string) error { return s.settings.Set(s.name, text) }
func (s setting) String() string        { return s.settings.Get(s.name) }
func (s setting) Type() string          { return s.kind }

// ports is a flag that can be given several times. The first one replaces the
// default.
type ports struct {
	list  *[]uint16
	given bool
}

func (p *ports) Set(text string) error {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return errors.New("give a port from 1 to 65535")
	}
	if !p.given {
		p.given, *p.list = true, nil
	}
	*p.list = append(*p.list, uint16(port))
	return nil
}

func (p *ports) String() string { return strings.Trim(fmt.Sprint(*p.list), "[]") }
func (p *ports) Type() string   { return "port" }

func parseHost(text string) (netip.Prefix, error) {
	host, err := netip.ParsePrefix(text)
	if err != nil {
		return host, fmt.Errorf("give an address with the length of its subnet's prefix, like %v", endpoint.DefaultHost)
	}
	return host, nil
}

func parseAddr(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, errors.New("give an address without a prefix, like 192.0.2.2")
	}
	return addr, nil
}

// parseCount reads a number of things.
func parseCount(text string) (int, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, errors.New("give a number, 0 or more")
	}
	return int(n), nil
}

func parseWork(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("give a time like 200ms or 2s")
	}
	return d, nil
}

func parseApp(text string) (string, error) {
	_, err := app.Lookup(text)
	return text, err
}

// devFlag adds --dev, which picks an instance.
func devFlag(c *cobra.Command) *string {
	dev := c.Flags().String("dev", endpoint.Defaults().Dev, "`name` of the instance's interface")
	_ = c.RegisterFlagCompletionFunc("dev", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return control.Running(), cobra.ShellCompDirectiveNoFileComp
	})
	return dev
}

// complete completes a flag with fixed words.
func complete(c *cobra.Command, flag string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

// completeSettings completes NAME=VALUE.
func completeSettings(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	name, _, hasValue := strings.Cut(typed, "=")
	if !hasValue {
		names := endpoint.SettingNames()
		for i := range names {
			names[i] += "="
		}
		return names, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	values := map[string][]string{"profile": profiles.Names(), "accept": {"auto", "off"}}[name]
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = name + "=" + v
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}
