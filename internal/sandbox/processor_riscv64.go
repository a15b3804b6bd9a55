package sandbox

import "golang.org/x/sys/unix"

var native = &processor{audit: unix.AUDIT_ARCH_RISCV64}

// processorCalls are those that only this processor has: none.
var processorCalls []call
