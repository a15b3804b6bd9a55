package sandbox

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketAttacks reach others over the network or over unix sockets.
func socketAttacks() map[string]attack {
	tcp, mptcp := 0, unix.IPPROTO_MPTCP
	attacks := map[string]attack{
		"socketpair": func(*victim) func() error {
			return func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }
		},
		"udp-sendto": func(v *victim) func() error {
			to, fd := v.receiver(), v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			return func() error { return unix.Sendto(fd, []byte("out"), 0, to) }
		},
		"udp-sendmsg": func(v *victim) func() error {
			to, fd := v.receiver(), v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			return func() error { return unix.Sendmsg(fd, []byte("out"), nil, to, 0) }
		},
		"udp-sendmmsg": func(v *victim) func() error {
			to, fd := v.receiver(), v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			name := inet4(to)
			data := []byte("out")
			part := unix.Iovec{Base: &data[0]}
			part.SetLen(len(data))
			// struct mmsghdr
			message := struct {
				unix.Msghdr
				length uint32
				_      uint32
			}{Msghdr: unix.Msghdr{Name: (*byte)(unsafe.Pointer(name)), Namelen: unix.SizeofSockaddrInet4, Iov: &part}}
			message.SetIovlen(1)
			return func() error {
				return call1(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), 1, 0)
			}
		},
		"udp-connect": func(v *victim) func() error {
			to, fd := v.receiver(), v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			return func() error { return unix.Connect(fd, to) }
		},
		"udp6-sendto": func(v *victim) func() error {
			to, fd := v.socket(unix.AF_INET6, unix.SOCK_DGRAM, 0), v.socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
			addr := &unix.SockaddrInet6{Port: 9999, Addr: [16]byte{15: 1}}
			v.must(unix.Bind(to, addr))
			return func() error { return unix.Sendto(fd, []byte("out"), 0, addr) }
		},
		"unix-datagram": func(v *victim) func() error {
			addr := &unix.SockaddrUnix{Name: v.own("server")}
			server, fd := v.socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0), v.socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			v.must(unix.Bind(server, addr))
			v.must(unix.Chmod(addr.Name, 0o777))
			return func() error { return unix.Sendto(fd, []byte("out"), 0, addr) }
		},
		"unix-abstract-connect": func(v *victim) func() error {
			addr := &unix.SockaddrUnix{Name: "@" + v.name}
			server, fd := v.socket(unix.AF_UNIX, unix.SOCK_STREAM, 0), v.socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			v.must(unix.Bind(server, addr))
			v.must(unix.Listen(server, 1))
			return func() error { return unix.Connect(fd, addr) }
		},
		"netlink-sendto": func(v *victim) func() error {
			fd := v.socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
			question := make([]byte, 20)
			question[0], question[4], question[6] = 20, unix.RTM_GETLINK, 1 // NLM_F_REQUEST
			return func() error { return unix.Sendto(fd, question, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) }
		},
		"multicast": func(v *victim) func() error { // the kernel sends reports
			fd := v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			return func() error {
				return unix.SetsockoptIPMreq(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP,
					&unix.IPMreq{Multiaddr: [4]byte{224, 0, 0, 99}, Interface: [4]byte{127, 0, 0, 1}})
			}
		},
		"socket-option": func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			return func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1) }
		},
		"socket-filter": func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			pass := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 1}
			return func() error {
				return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &pass})
			}
		},
	}
	for name, protocol := range map[string]int{"tcp": tcp, "mptcp": mptcp} {
		attacks[name+"-connect"] = func(v *victim) func() error {
			to, fd := v.listener(protocol), v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			return func() error { return unix.Connect(fd, to) }
		}
		attacks[name+"-fastopen"] = func(v *victim) func() error { // past landlock, too
			to, fd := v.listener(protocol), v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			return func() error { return unix.Sendto(fd, []byte("out"), unix.MSG_FASTOPEN, to) }
		}
		attacks[name+"-fastopen-sendmsg"] = func(v *victim) func() error {
			to, fd := v.listener(protocol), v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			return func() error { return unix.Sendmsg(fd, []byte("out"), nil, to, unix.MSG_FASTOPEN) }
		}
		attacks[name+"-listen"] = func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			return func() error { return unix.Listen(fd, 1) }
		}
		attacks[name+"-bind"] = func(v *victim) func() error {
			fd := v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			return func() error { return unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) }
		}
		attacks[name+"-disconnect"] = func(v *victim) func() error { // of what listens, to connect it
			to, fd := v.listener(protocol), v.socket(unix.AF_INET, unix.SOCK_STREAM, protocol)
			v.must(unix.Connect(fd, to))
			return func() error {
				family := unix.RawSockaddr{Family: unix.AF_UNSPEC}
				return call1(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&family)), unsafe.Sizeof(family))
			}
		}
	}
	for name, s := range map[string][3]int{
		"tcp": {unix.AF_INET, unix.SOCK_STREAM, 0}, "mptcp": {unix.AF_INET, unix.SOCK_STREAM, mptcp},
		"tcp6": {unix.AF_INET6, unix.SOCK_STREAM, 0}, "udp": {unix.AF_INET, unix.SOCK_DGRAM, 0}, "udp6": {unix.AF_INET6, unix.SOCK_DGRAM, 0},
		"ping": {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, "raw": {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW},
		"packet": {unix.AF_PACKET, unix.SOCK_RAW, 0}, "netlink": {unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE},
		"unix": {unix.AF_UNIX, unix.SOCK_STREAM, 0}, "unix-dgram": {unix.AF_UNIX, unix.SOCK_DGRAM, 0},
		"vsock": {unix.AF_VSOCK, unix.SOCK_STREAM, 0}, "alg": {unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		"sctp": {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, "xdp": {unix.AF_XDP, unix.SOCK_RAW, 0},
	} {
		attacks["socket-"+name] = func(*victim) func() error {
			return func() error { _, err := unix.Socket(s[0], s[1], s[2]); return err }
		}
	}
	return attacks
}

// inet4 is an address as the kernel has it.
func inet4(addr *unix.SockaddrInet4) *unix.RawSockaddrInet4 {
	port := uint16(addr.Port)
	return &unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port<<8 | port>>8, Addr: addr.Addr}
}
