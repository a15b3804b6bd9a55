package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"tcplab/internal/version"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Prints the version: a tag, or the commit that the program was built from, with
"+dirty" when the tree had changes. tcplab status, the metric tcplab_build_info
and the reports of labs have the same.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			v := version.String()
			if v == version.Unknown {
				c.PrintErrln("tcplab: built without the commit (-buildvcs=false, maybe in go env GOFLAGS; go run; a git worktree; no git): use go build -buildvcs=true in a clone")
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "tcplab %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
