package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// bufferSize is large enough to skip the vocabulary of a real model, some megabytes of short
// strings, without a system call for each.
const bufferSize = 1 << 18

// decoder reads a file sequentially and tracks how much of it is left, so that every length
// can be checked before it is used. Its errors are io.ErrUnexpectedEOF if the file ends too
// early, and errLong if its header goes on for longer than any model's.
type decoder struct {
	r        *bufio.Reader
	position uint64
	// size is that of the file, limit how much of it is read.
	size, limit uint64
}

var errLong = fmt.Errorf("the header goes on after %d MiB, which no model's does", maxHeader>>20)

func newDecoder(r io.ReaderAt, size int64) *decoder {
	size = max(size, 0)
	return &decoder{
		r:    bufio.NewReaderSize(io.NewSectionReader(r, 0, size), bufferSize),
		size: uint64(size), limit: min(uint64(size), maxHeader),
	}
}

// need returns an error if there are not n more bytes.
func (d *decoder) need(n uint64) error {
	switch {
	case n <= d.limit-d.position:
		return nil
	case n <= d.size-d.position:
		return errLong
	}
	return io.ErrUnexpectedEOF
}

// bytes reads n bytes. Callers must limit n.
func (d *decoder) bytes(n uint64) ([]byte, error) {
	if err := d.need(n); err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(d.r, data); err != nil {
		return nil, readFailed(err)
	}
	d.position += n
	return data, nil
}

func (d *decoder) skip(n uint64) error {
	if err := d.need(n); err != nil {
		return err
	}
	d.position += n
	for n > 0 {
		// Discard takes an int, which is 32 bits on some platforms.
		step := min(n, 1<<30)
		if _, err := d.r.Discard(int(step)); err != nil {
			return readFailed(err)
		}
		n -= step
	}
	return nil
}

// readFailed reports a file that is shorter than its stated size as truncated.
func readFailed(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (d *decoder) uint32() (uint32, error) {
	data, err := d.bytes(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(data), nil
}

func (d *decoder) uint64() (uint64, error) {
	data, err := d.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(data), nil
}

func (d *decoder) count(what string, limit uint64) (uint64, error) {
	n, err := d.uint64()
	if err == nil && n > limit {
		err = fmt.Errorf("the file claims %d %s, at most %d are believed", n, what, limit)
	}
	return n, err
}

func (d *decoder) string(what string, limit uint64) (string, error) {
	n, err := d.uint64()
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", fmt.Errorf("the %s has %d bytes, at most %d are possible", what, n, limit)
	}
	data, err := d.bytes(n)
	return string(data), err
}

func (d *decoder) metadata(count uint64) (metadata, error) {
	m := metadata{strings: map[string]string{}, numbers: map[string]uint64{}, lists: map[string][]uint64{}}
	for range count {
		if err := d.pair(&m); err != nil {
			return metadata{}, err
		}
	}
	return m, nil
}

// keptStrings are the keys of the strings that Header needs.
var keptStrings = []string{keyArchitecture, keyName, keyType, keyTokenizer, keyPreTokenizer}

// pair reads one metadata entry and keeps it if Header may need it.
func (d *decoder) pair(m *metadata) error {
	key, err := d.string("key of a metadata entry", maxKey)
	if err != nil {
		return err
	}
	kind, err := d.valueType()
	if err != nil {
		return err
	}
	switch {
	case kind == typeString && slices.Contains(keptStrings, key):
		m.strings[key], err = d.string(key, maxName)
		return err
	case kind == typeString && key == keyChatTemplate:
		m.strings[key], err = d.string(key, maxTemplate)
		return err
	case kind == typeString:
		return d.skipString()
	case kind == typeArray:
		return d.array(key, m)
	}
	number, isNumber, err := d.scalar(key, kind)
	if isNumber {
		m.numbers[key] = number
	}
	return err
}

func (d *decoder) valueType() (valueType, error) {
	kind, err := d.uint32()
	return valueType(kind), err
}

func (d *decoder) skipString() error {
	n, err := d.uint64()
	if err != nil {
		return err
	}
	return d.skip(n)
}

// scalar reads a value of fixed size. Only flags and non-negative integers count as numbers:
// nothing in Header is anything else.
func (d *decoder) scalar(key string, kind valueType) (number uint64, isNumber bool, err error) {
	size := kind.fixedSize()
	if size == 0 {
		return 0, false, fmt.Errorf("metadata entry %q has an unknown type, %d", key, kind)
	}
	data, err := d.bytes(size)
	if err != nil {
		return 0, false, err
	}
	var wide [8]byte
	copy(wide[:], data)
	number = binary.LittleEndian.Uint64(wide[:])
	switch kind {
	case typeUint8, typeUint16, typeUint32, typeUint64:
		return number, true, nil
	case typeBool:
		return min(number, 1), true, nil
	case typeInt8, typeInt16, typeInt32, typeInt64:
		negative := data[size-1]&0x80 != 0
		return number, !negative, nil
	}
	return 0, false, nil
}

// array reads the vocabulary, keeps a list that may have a number for each layer, and skips
// every other array.
func (d *decoder) array(key string, m *metadata) error {
	kind, err := d.valueType()
	if err != nil {
		return err
	}
	n, err := d.uint64()
	if err != nil {
		return err
	}
	switch {
	case kind == typeArray:
		return fmt.Errorf("metadata entry %q is an array of arrays, which no model has", key)
	case kind == typeString && key == keyTokens && n <= maxTokens:
		return d.tokens(&m.vocabulary, n)
	case kind == typeString:
		return d.skipStrings(n)
	case key == keyTokenTypes && n <= maxTokens:
		m.vocabulary.types, err = d.list(key, kind, n)
		return err
	case n > maxLayers:
		return d.skipScalars(key, kind, n)
	}
	if list, err := d.list(key, kind, n); list != nil || err != nil {
		m.lists[key] = list
		return err
	}
	return nil
}

// list returns nil for a list of anything but numbers.
func (d *decoder) list(key string, kind valueType, n uint64) ([]uint64, error) {
	list, numbers := []uint64{}, true
	for range n {
		number, isNumber, err := d.scalar(key, kind)
		if err != nil {
			return nil, err
		}
		list, numbers = append(list, number), numbers && isNumber
	}
	if !numbers {
		return nil, nil
	}
	return list, nil
}

func (d *decoder) skipStrings(n uint64) error {
	for range n {
		if err := d.skipString(); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) skipScalars(key string, kind valueType, n uint64) error {
	size := kind.fixedSize()
	if size == 0 {
		return fmt.Errorf("metadata entry %q has elements of an unknown type, %d", key, kind)
	}
	if high, low := bits.Mul64(n, size); high == 0 {
		return d.skip(low)
	}
	return io.ErrUnexpectedEOF
}
