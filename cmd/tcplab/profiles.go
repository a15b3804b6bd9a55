package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/endpoint"
	"tcplab/listener/backlog"
	"tcplab/listener/backlog/profiles"
)

// profileInfo is a profile as it is printed.
type profileInfo struct {
	Name    string   `json:"name"`
	Systems string   `json:"systems"`
	Rule    string   `json:"rule"`
	Example string   `json:"example"` // what it makes of the default backlog
	Sources []string `json:"sources"`

	RetransmitUS  []int64 `json:"synack_retransmit_us"` // after the first SYN-ACK
	ExpireUS      int64   `json:"expire_us"`            // after the first SYN-ACK
	ResetOnExpire bool    `json:"reset_on_expire"`
}

func newProfiles() *cobra.Command {
	c := &cobra.Command{
		Use:   "profiles",
		Short: "List each profile with its rule and its source",
		Args:  noArguments,
	}
	asJSON := c.Flags().Bool("json", false, "print a JSON array instead of text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		settings := endpoint.Defaults().Backlog
		var infos []profileInfo
		for _, p := range profiles.All() {
			infos = append(infos, describe(p, settings))
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), infos)
		}
		for i := range infos {
			fmt.Fprint(c.OutOrStdout(), infos[i].text(settings.Backlog))
		}
		return nil
	}
	return c
}

func describe(p *backlog.Profile, settings backlog.Settings) profileInfo {
	info := profileInfo{
		Name: p.Name, Systems: p.Systems, Rule: p.Rule, Sources: p.Sources,
		Example:       p.Describe(p.Limits(settings)),
		RetransmitUS:  []int64{},
		ExpireUS:      p.Schedule.Expire.Microseconds(),
		ResetOnExpire: p.Schedule.ResetOnExpire,
	}
	for _, at := range p.Schedule.Retransmit {
		info.RetransmitUS = append(info.RetransmitUS, at.Microseconds())
	}
	return info
}

// text is the profile for people.
func (p *profileInfo) text(b int) string {
	var again []string
	for _, us := range p.RetransmitUS {
		again = append(again, seconds(us))
	}
	timers := "never sent again"
	if len(again) > 0 {
		timers = "sent again after " + strings.Join(again, ", ")
	}
	ending := "silently"
	if p.ResetOnExpire {
		ending = "with RST"
	}
	return fmt.Sprintf("%s: %s\n  rule     %s\n  backlog %d: %s\n  SYN-ACK  %s; given up after %s, %s\n  source   %s\n\n",
		p.Name, p.Systems, p.Rule, b, p.Example, timers, seconds(p.ExpireUS), ending, strings.Join(p.Sources, "\n           "))
}

// seconds is a time in seconds: "75 s".
func seconds(us int64) string {
	return fmt.Sprintf("%g s", (time.Duration(us) * time.Microsecond).Seconds())
}
