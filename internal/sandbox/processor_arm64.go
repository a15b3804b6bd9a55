package sandbox

import "golang.org/x/sys/unix"

// native is this processor. A process reaches those of 32-bit Arm only by execve.
var native = &processor{audit: unix.AUDIT_ARCH_AARCH64}

// processorCalls are those that riscv64 does not have.
var processorCalls = always(unix.SYS_RENAMEAT)
