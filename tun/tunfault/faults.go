package tunfault

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Config says how bad a line is. Rates are probabilities from 0 to 1, each
// decided for each packet by itself; the zero value is a perfect line.
type Config struct {
	Seed uint64

	Loss      float64 // the packet is gone
	Duplicate float64 // it comes twice
	Reorder   float64 // it comes later, by up to Delay, than it should
	Corrupt   float64 // one of its bits is wrong
	Truncate  float64 // its end is missing

	// Delay is the longest delay of a packet that is reordered or repeated; zero
	// means 5 ms.
	Delay time.Duration
}

// Check says what is wrong with c.
func (c *Config) Check() error {
	for name, rate := range map[string]float64{
		"loss": c.Loss, "duplicate": c.Duplicate, "reorder": c.Reorder, "corrupt": c.Corrupt, "truncate": c.Truncate,
	} {
		if !(rate >= 0 && rate <= 1) {
			return fmt.Errorf("tunfault: %s %v: give a probability from 0 to 1", name, rate)
		}
	}
	if c.Delay < 0 {
		return errors.New("tunfault: the delay is negative")
	}
	return nil
}

// defaultDelay is longer than the packets of a window are apart.
const defaultDelay = 5 * time.Millisecond

// Delivery is a packet that goes on, after a delay.
type Delivery struct {
	After  time.Duration
	Packet []byte
}

// Faults decides what becomes of the packets of one direction. Not safe for
// concurrent use.
type Faults struct {
	config Config
	random *rand.Rand
	counts Counts
}

// Counts are how often each fault happened.
type Counts struct {
	Packets, Lost, Duplicated, Reordered, Corrupted, Truncated uint64
}

// NewFaults makes the faults of one direction, which stream tells apart from the
// other.
func NewFaults(cfg Config, stream uint64) *Faults {
	if cfg.Delay == 0 {
		cfg.Delay = defaultDelay
	}
	return &Faults{config: cfg, random: rand.New(rand.NewPCG(cfg.Seed, stream))}
}

// Next appends what becomes of packet to deliveries. The packets in it are
// copies.
func (f *Faults) Next(deliveries []Delivery, packet []byte) []Delivery {
	f.counts.Packets++
	if f.happens(f.config.Loss, &f.counts.Lost) {
		return deliveries
	}
	times := 1
	if f.happens(f.config.Duplicate, &f.counts.Duplicated) {
		times = 2
	}
	for i := range times {
		d := Delivery{Packet: bytes.Clone(packet)}
		if i > 0 || f.happens(f.config.Reorder, &f.counts.Reordered) {
			d.After = time.Duration(f.random.Int64N(int64(f.config.Delay))) + 1
		}
		if len(d.Packet) > 0 && f.happens(f.config.Corrupt, &f.counts.Corrupted) {
			bit := f.random.IntN(8 * len(d.Packet))
			d.Packet[bit/8] ^= 1 << (bit % 8)
		}
		if len(d.Packet) > 0 && f.happens(f.config.Truncate, &f.counts.Truncated) {
			d.Packet = d.Packet[:f.random.IntN(len(d.Packet))]
		}
		deliveries = append(deliveries, d)
	}
	return deliveries
}

func (f *Faults) happens(rate float64, count *uint64) bool {
	if rate == 0 || f.random.Float64() >= rate {
		return false
	}
	*count++
	return true
}

// Counts are the faults so far.
func (f *Faults) Counts() Counts { return f.counts }
