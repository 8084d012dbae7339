// Package state is the vocabulary of Landbridge: the objects that are wanted
// and seen on a backend, the names by which they are known, who owns them, and
// sets of them. Every other package speaks in these words and no backend's
// wire type crosses its own border.
//
// Objects are immutable once they are in a Set: to change one, put another in
// its place. The package uses the standard library alone, does no I/O, reads
// no clock and logs nothing.
package state
