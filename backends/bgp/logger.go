package bgp

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/osrg/gobgp/v3/pkg/log"
	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"
	"go.uber.org/zap"
)

// logger passes on what GoBGP says: warnings as such, the rest for debugging.
// It remembers the last word on why a session is not up.
type logger struct {
	to   *zap.Logger
	said func(string)
}

var _ log.Logger = (*logger)(nil)

func (l *logger) fields(fields log.Fields) []zap.Field {
	all := make([]zap.Field, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "Topic" && name != "Key" && name != log.FieldFacility {
			all = append(all, zap.Any(strings.ToLower(name[:1])+name[1:], fields[name]))
		}
	}
	return all
}

// remember keeps what says why a session ended or does not come up.
func (l *logger) remember(msg string, fields log.Fields) {
	switch msg {
	case "sent notification", "received notification":
		code, hasCode := fields["Code"].(uint8)
		subcode, _ := fields["Subcode"].(uint8)
		switch {
		case hasCode:
			l.said(msg + ": " + packet.NewNotificationErrorCode(code, subcode).String())
		default:
			l.said(msg + ": " + fmt.Sprint(fields["Data"]))
		}
	case "hold timer expired":
		l.said("nothing was heard of the peer for the hold time")
	}
}

// Panic is for what GoBGP cannot go on after.
func (l *logger) Panic(msg string, fields log.Fields) { l.to.Panic(msg, l.fields(fields)...) }

// Fatal ends the process: GoBGP relies on it.
func (l *logger) Fatal(msg string, fields log.Fields) { l.to.Fatal(msg, l.fields(fields)...) }

// Error passes an error on.
func (l *logger) Error(msg string, fields log.Fields) {
	l.remember(msg, fields)
	l.to.Warn(msg, l.fields(fields)...)
}

// Warn passes a warning on.
func (l *logger) Warn(msg string, fields log.Fields) {
	l.remember(msg, fields)
	l.to.Warn(msg, l.fields(fields)...)
}

// Info is of interest when something is looked for.
func (l *logger) Info(msg string, fields log.Fields) {
	l.remember(msg, fields)
	l.to.Debug(msg, l.fields(fields)...)
}

// Debug is not called, by GetLevel.
func (*logger) Debug(string, log.Fields) {}

// SetLevel has no effect: zap has its own.
func (*logger) SetLevel(log.LogLevel) {}

// GetLevel keeps GoBGP from building fields that nobody reads.
func (*logger) GetLevel() log.LogLevel { return log.InfoLevel }
