package sandbox

import (
	"golang.org/x/sys/unix"
)

// native is this processor. Through int 0x80 a process reaches the calls of i386
// (AUDIT_ARCH_I386), and with a bit in the number those of x32.
var native = &processor{audit: unix.AUDIT_ARCH_X86_64, foreign: 1 << 30}

// processorCalls are those that riscv64 does not have.
var processorCalls = always(unix.SYS_RENAMEAT)
