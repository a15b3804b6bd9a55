package sandbox

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where a filter finds what: struct seccomp_data, on a little-endian processor,
// which all of ours are.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// A processor is what a filter has to know of one.
type processor struct {
	audit uint32 // AUDIT_ARCH_… of linux/audit.h
	// foreign is where the numbers of another ABI begin that has the same audit: x32
	// on x86-64 (__X32_SYSCALL_BIT). Zero: there is none.
	foreign uint32
}

// What becomes of a call, as a filter says it (seccomp(2)).
const (
	allow = unix.SECCOMP_RET_ALLOW
	// refuse has a call fail that is not in the list. The caller sees an error that
	// names the call, the kernel logs it, and the instance goes on: a call that the
	// list forgot ends no instance.
	refuse = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	// absent has the C library use clone, as on a kernel without clone3.
	absent = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	// kill ends the process with SIGSYS. No code of this program makes a call in
	// another ABI than its own: who does has taken it over, and that is to be seen.
	kill = unix.SECCOMP_RET_KILL_PROCESS
	// trap has Go's runtime end the process with the stack of who made the call.
	trap = unix.SECCOMP_RET_TRAP
)

// assemble makes a program for seccomp(2) of a list. Calls that are not in it get
// otherwise.
func assemble(p processor, calls []call, otherwise uint32) []bpf.Instruction {
	program := []bpf.Instruction{
		load(offArch),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: p.audit, SkipTrue: 1},
		bpf.RetConstant{Val: kill},
		load(offNumber),
	}
	if p.foreign != 0 {
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: p.foreign, SkipTrue: 1},
			bpf.RetConstant{Val: kill})
	}
	calls = append(calls[:len(calls):len(calls)], call{number: unix.SYS_CLONE3})
	for _, c := range calls {
		block := c.verdict(otherwise)
		program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: c.number, SkipFalse: uint8(len(block))})
		program = append(program, block...)
	}
	return append(program, bpf.RetConstant{Val: otherwise})
}

// verdict is what is done when the number is that of c.
func (c *call) verdict(otherwise uint32) []bpf.Instruction {
	switch {
	case c.number == unix.SYS_CLONE3:
		return []bpf.Instruction{bpf.RetConstant{Val: absent}}
	case c.when == nil:
		return []bpf.Instruction{bpf.RetConstant{Val: allow}}
	}
	var block []bpf.Instruction
	for _, group := range c.when {
		block = append(block, all(group)...)
	}
	return append(block, bpf.RetConstant{Val: otherwise})
}

// all allows the call if each of the tests holds, and else goes on behind.
func all(tests []test) []bpf.Instruction {
	code := []bpf.Instruction{bpf.RetConstant{Val: allow}}
	for i := len(tests) - 1; i >= 0; i-- { // from the end, to know how far to jump
		t := tests[i]
		low := offArgs + 8*uint32(t.arg)
		code = append(half(low, uint32(t.mask), uint32(t.value), len(code)), code...)
		if t.mask>>32 != 0 {
			code = append(half(low+4, uint32(t.mask>>32), uint32(t.value>>32), len(code)), code...)
		}
	}
	return code
}

// half compares 32 bits of an argument and jumps over the next skip instructions
// if they differ.
func half(offset, mask, value uint32, skip int) []bpf.Instruction {
	code := []bpf.Instruction{load(offset)}
	if mask != bits32 {
		code = append(code, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
	}
	return append(code, bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipFalse: uint8(skip)})
}

func load(offset uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offset, Size: 4} }
