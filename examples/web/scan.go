package main

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Reading JSON: a scanner that returns one value after another, with its key.
//
// Invariant: what it returns without an error is a document by RFC 8259, in valid UTF-8. Keys and texts are without
// escapes, and valid until the next value.
//
// Cost: one pass over the bytes; no garbage, but for texts with escapes.

// A kind is that of a value; end ends an object or an array.
type kind uint8

const (
	end kind = iota
	object
	array
	text
	number
	literal // true, false, null
)

// nested reports whether the values up to an end are inside.
func (k kind) nested() bool { return k == object || k == array }

// An event is a value, or the beginning or end of one that has others inside.
type event struct {
	kind kind
	key  []byte // in an object
	text []byte // of a text, a number or a literal
}

// A scanner reads a document.
type scanner struct {
	data  []byte
	at    int
	open  []kind // objects and arrays around
	first bool   // nothing was read in the innermost
}

const maxDepth = 500

var errEnds = errors.New("the document ends too early")

func newScanner(data []byte) (scanner, error) {
	if !utf8.Valid(data) {
		return scanner{}, errors.New("the document is not UTF-8")
	}
	return scanner{data: data}, nil
}

// peek returns the next byte that is no space; 0 at the end.
func (s *scanner) peek() byte {
	for ; s.at < len(s.data); s.at++ {
		if c := s.data[s.at]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
	}
	return 0
}

// bad returns an error about the next byte.
func (s *scanner) bad() error {
	if s.at >= len(s.data) {
		return errEnds
	}
	return fmt.Errorf("%q is not expected at byte %d", s.data[s.at], s.at)
}

func (s *scanner) expect(c byte) error {
	if s.peek() != c {
		return s.bad()
	}
	s.at++
	return nil
}

// next returns the next event.
func (s *scanner) next() (e event, err error) {
	if len(s.open) == 0 {
		return s.value()
	}
	inside := s.open[len(s.open)-1]
	if c := s.peek(); c == '}' && inside == object || c == ']' && inside == array {
		s.at++
		s.open, s.first = s.open[:len(s.open)-1], false
		return event{}, nil
	}
	if !s.first {
		if err := s.expect(','); err != nil {
			return event{}, err
		}
	}
	s.first = false
	var key []byte
	if inside == object {
		if key, err = s.str(); err != nil {
			return event{}, err
		}
		if err := s.expect(':'); err != nil {
			return event{}, err
		}
	}
	e, err = s.value()
	e.key = key
	return e, err
}

// finish returns an error when something follows the document.
func (s *scanner) finish() error {
	if s.peek() != 0 || s.at < len(s.data) {
		return s.bad()
	}
	return nil
}

func (s *scanner) value() (e event, err error) {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		e.kind = object
		if c == '[' {
			e.kind = array
		}
		s.at++
		s.open, s.first = append(s.open, e.kind), true
		if len(s.open) > maxDepth {
			return e, fmt.Errorf("more than %d values around one", maxDepth)
		}
	case c == '"':
		e.kind = text
		e.text, err = s.str()
	case c == '-' || '0' <= c && c <= '9':
		e.kind = number
		e.text, err = s.num()
	default:
		e.kind = literal
		e.text, err = s.word()
	}
	return e, err
}

func (s *scanner) word() ([]byte, error) {
	for _, w := range []string{"true", "false", "null"} {
		if rest := s.data[s.at:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
			s.at += len(w)
			return rest[:len(w)], nil
		}
	}
	return nil, s.bad()
}

// digits passes digits, and reports whether there was one.
func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > begin
}

// pass passes the next byte if it is one of these.
func (s *scanner) pass(a, b byte) bool {
	if s.at < len(s.data) && (s.data[s.at] == a || s.data[s.at] == b) {
		s.at++
		return true
	}
	return false
}

func (s *scanner) num() ([]byte, error) {
	begin := s.at
	s.pass('-', '-')
	ok := s.pass('0', '0') || s.digits()
	if ok && s.pass('.', '.') {
		ok = s.digits()
	}
	if ok && s.pass('e', 'E') {
		s.pass('+', '-')
		ok = s.digits()
	}
	if !ok {
		return nil, s.bad()
	}
	return s.data[begin:s.at], nil
}

// str returns a text without its quotes and escapes.
func (s *scanner) str() ([]byte, error) {
	if err := s.expect('"'); err != nil {
		return nil, err
	}
	begin := s.at
	for s.at < len(s.data) && s.data[s.at] != '"' && s.data[s.at] != '\\' && s.data[s.at] >= ' ' {
		s.at++
	}
	if s.at < len(s.data) && s.data[s.at] == '"' {
		s.at++
		return s.data[begin : s.at-1], nil
	}
	b := append([]byte(nil), s.data[begin:s.at]...)
	for s.at < len(s.data) && s.data[s.at] >= ' ' {
		c := s.data[s.at]
		s.at++
		switch c {
		case '"':
			return b, nil
		case '\\':
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
	}
	return nil, s.bad()
}

// escape returns the character of an escape, after its backslash.
func (s *scanner) escape() (rune, error) {
	if s.at >= len(s.data) {
		return 0, errEnds
	}
	c := s.data[s.at]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return s.unicode()
	default:
		return 0, s.bad()
	}
	s.at++
	return rune(c), nil
}

// unicode returns the character of an escape in hexadecimal digits, or of two that are surrogates.
func (s *scanner) unicode() (rune, error) {
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if s.at+1 >= len(s.data) || s.data[s.at] != '\\' || s.data[s.at+1] != 'u' {
		return utf8.RuneError, nil
	}
	before := s.at
	s.at++
	low, err := s.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		s.at = before // the second one is a character of its own
	}
	return r, nil
}

// hex returns the number of four digits, after a u.
func (s *scanner) hex() (r rune, err error) {
	s.at++
	for range 4 {
		if s.at >= len(s.data) {
			return 0, errEnds
		}
		c := s.data[s.at]
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, s.bad()
		}
		s.at++
	}
	return r, nil
}
