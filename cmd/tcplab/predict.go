package main

import (
	"time"

	"github.com/spf13/cobra"

	"tcplab/internal/endpoint"
	"tcplab/internal/predict"
)

func newPredict() *cobra.Command {
	c := &cobra.Command{
		Use:   "predict",
		Short: "Say what would happen to clients, without root and without a device",
		Long: `Lets clients arrive at a listener in virtual time and says what becomes of each:
how its SYN is met, what it believes, and what the server has. The listener is
the one that serves real clients. The clients send their SYNs as Linux does
since 6.5, at 0, 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, and give up after 131 s.`,
		Example: `  tcplab predict --profile linux --backlog 8
  tcplab predict --backlog 2 --clients 20 --accept-every 500ms`,
		Args: noArguments,
	}
	c.Flags().SortFlags = false
	config := endpoint.Defaults()
	addListenerFlags(c, &config)
	asked := predict.Config{Clients: 20, Every: time.Millisecond}
	flags := c.Flags()
	flags.Var(value[int]{&asked.Clients, parseCount, "n"}, "clients", "how many clients connect")
	flags.Var(value[time.Duration]{&asked.Every, parseWork, "time"}, "every", "time between one client's connect and the next one's")
	flags.Var(value[time.Duration]{&asked.Accept, parseWork, "time"}, "accept-every", "the application calls accept so often; 0 is never")
	flags.Var(value[time.Duration]{&asked.Horizon, parseWork, "time"}, "for", "how long to watch; 0 is until nothing moves any more")
	asJSON := flags.Bool("json", false, "print a JSON object instead of text")
	c.RunE = func(c *cobra.Command, _ []string) error {
		l := config.ListenerConfig(nil)
		asked.Profile, asked.Settings = l.Effective(), l.Settings
		result, err := predict.Run(asked)
		if err != nil {
			return badUsage(c, err)
		}
		if *asJSON {
			return printJSON(c.OutOrStdout(), result)
		}
		return result.WriteText(c.OutOrStdout())
	}
	return c
}
