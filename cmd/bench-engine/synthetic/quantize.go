package synthetic

import (
	"encoding/binary"
	"math"
)

// blockLength is how many weights llama.cpp's quantizations with a K have in a block.
const blockLength = 256

// Blocks as in ggml-common.h: block_q4_K and block_q6_K.
type (
	blockQ4K [144]byte
	blockQ6K [210]byte
)

// levels are the weights of a block: 0 and 255 are the ends of a range around 0.
type levels [blockLength]byte

// pack returns a block whose weights go from -most to most. All of its parts have one scale.
func (l *levels) pack(kind tensorKind, most float32) []byte {
	if kind == q6K {
		return l.packQ6K(most)
	}
	return l.packQ4K(most)
}

// packQ4K: a weight is d*15*q - dmin*15, q from 0 to 15. d and dmin come first, then 12 bytes with scales and minima
// of 6 bits, here all 15, then the q: 64 weights in 32 bytes, the first 32 of them in the low halves.
func (l *levels) packQ4K(most float32) []byte {
	var b blockQ4K
	binary.LittleEndian.PutUint16(b[0:], half(most*2/15/15))
	binary.LittleEndian.PutUint16(b[2:], half(most/15))
	for i := range 8 {
		b[4+i] = 15
	}
	for i := range 4 {
		b[12+i] = 0xff
	}
	for i := range blockLength / 2 {
		low := i/32*64 + i%32
		b[16+i] = l[low]>>4 | l[low+32]&0xf0
	}
	return b[:]
}

// packQ6K: a weight is d*(q-32), q from 0 to 63. The low four bits of the q come first, then the high two, then 16 scales
// of a byte, here all 1, then d.
func (l *levels) packQ6K(most float32) []byte {
	var b blockQ6K
	low, high, scales := b[:128], b[128:192], b[192:208]
	for part := range 2 {
		for i := range 32 {
			at := 128*part + i
			var q [4]byte
			for n := range q {
				q[n] = l[at+32*n] >> 2
			}
			low[64*part+i] = q[0]&15 | q[2]<<4
			low[64*part+32+i] = q[1]&15 | q[3]<<4
			high[32*part+i] = q[0]>>4 | q[1]>>4<<2 | q[2]>>4<<4 | q[3]>>4<<6
		}
	}
	for i := range scales {
		scales[i] = 1
	}
	binary.LittleEndian.PutUint16(b[208:], half(most/32))
	return b[:]
}

// half returns a number between 0 and 1 with 16 bits (IEEE 754 binary16), cut off.
func half(value float32) uint16 {
	bits := math.Float32bits(value)
	exponent := int(bits>>23) - 127 + 15
	mantissa := bits>>13&0x3ff | 0x400
	if exponent <= 0 {
		return uint16(mantissa >> (1 - exponent)) // subnormal
	}
	return uint16(exponent<<10) | uint16(mantissa&0x3ff)
}
