package control

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		roles[role](os.Getenv(whereVariable))
		return
	}
	goleak.VerifyTestMain(m)
}
