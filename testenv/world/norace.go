//go:build !race

package world

// raceEnabled says whether this program is built with the race detector.
const raceEnabled = false
