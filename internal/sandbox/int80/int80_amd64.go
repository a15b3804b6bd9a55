// Package int80 makes system calls as a 32-bit program would, by int 0x80, with
// the numbers of i386. A filter that looks at numbers alone takes them for other
// calls. It is for tests that attack a filter.
package int80

import "golang.org/x/sys/unix"

// Call makes a system call. Pointers have to lie below 4 GB (mmap(2), MAP_32BIT).
func Call(number uint32, args ...uint32) (uint32, error) {
	var a [5]uint32
	copy(a[:], args)
	result := call(number, a[0], a[1], a[2], a[3], a[4])
	if result < 0 && result > -4096 {
		return 0, unix.Errno(-result)
	}
	return uint32(result), nil
}

func call(number, a, b, c, d, e uint32) (result int32)
