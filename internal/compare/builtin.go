package compare

import (
	"embed"
	"io/fs"
)

//go:embed testdata/exchanges/*.txt
var builtin embed.FS

// Builtin are the exchanges that come with tcplab.
func Builtin() fs.FS {
	sub, err := fs.Sub(builtin, "testdata/exchanges")
	if err != nil {
		panic(err) // the path is the one above
	}
	return sub
}
