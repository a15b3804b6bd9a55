package tun

import "tcplab/tun/offload"

// Offload reports whether packets are read with ReadOffload and written with
// WriteOffload, instead of Read and Write: TCP segments may be larger than the
// MTU then, and the host leaves checksums unfinished.
func (d *Device) Offload() bool { return d.offload }

// Refused says why there is no offload though it was asked for; nil if there is.
func (d *Device) Refused() error { return d.refused }

// ReadOffload reads one IP packet of an interface with offload into p, which
// should have room for offload.Size + offload.MaxPacket bytes. It returns what
// the kernel says about the packet, and where in p it lies. After Close the
// error is os.ErrClosed.
func (d *Device) ReadOffload(p []byte) (offload.Header, []byte, error) {
	n, err := d.ifce.Read(p)
	if err != nil {
		return offload.Header{}, nil, err
	}
	if n < offload.Size {
		return offload.Header{}, nil, nil // the kernel does not do that
	}
	return offload.Decode(p), p[offload.Size:n], nil
}

// WriteOffload writes one IP packet to an interface with offload, as Write does.
// The packet lies in framed behind offload.Size bytes of room, which the header
// is put into.
func (d *Device) WriteOffload(h offload.Header, framed []byte) error {
	h.Encode(framed)
	_, err := d.Write(framed)
	return err
}
