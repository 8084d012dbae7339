package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
)

const (
	// settle is how long further changes are waited for before a file is
	// written: many come together.
	settle = 100 * time.Millisecond
	// commandTime bounds a command.
	commandTime = 30 * time.Second
)

// follower keeps one file in step with announcements.
type follower struct {
	agent *Agent
	Want
	log   *zap.Logger
	known map[string]followed // by service
	told  bool                // the command has run after the file that stands
}

// followed is the newest announcement of a service, and when it came.
type followed struct {
	protocol.Announcement
	came time.Time
}

// expired says whether it was not announced again in its time.
func (f *followed) expired(now time.Time) bool {
	return now.After(f.came.Add(time.Duration(f.TTLSeconds) * time.Second))
}

func newFollower(a *Agent, w Want) *follower {
	return &follower{agent: a, Want: w, log: a.log.With(zap.String("file", w.File)), known: map[string]followed{}}
}

// run follows announcements until ctx ends. While the broker is away the file
// stays as it is: what was true last is better than nothing.
func (f *follower) run(ctx context.Context) {
	link := f.agent.hub.Link(f.agent.config.Vhost, broker.RoleConsume)
	link.Each(ctx, slowRetry, f.follow, func(err error) {
		f.log.Warn("announcements are not followed, trying again", zap.Error(err))
	})
}

// follow listens first and asks then, so that no change falls between.
func (f *follower) follow(ctx context.Context, session *broker.Session) error {
	var keys []string
	for _, s := range f.Services {
		keys = append(keys, strings.ReplaceAll(s, "/", "."))
	}
	sub, err := session.Listen(protocol.EndpointsExchange(f.agent.config.Cluster), "follow", keys...)
	if err != nil {
		return err
	}
	defer sub.Close()
	asked := f.ask(ctx)
	if asked != nil {
		f.log.Warn("no snapshot, asking again", zap.Error(asked))
	}
	f.write(ctx)
	again := time.Now().Add(slowRetry)
	for {
		if now := time.Now(); now.After(again) { // also where there is always news
			again = now.Add(slowRetry)
			if asked != nil || f.expired(now) {
				asked = f.ask(ctx)
			}
			f.write(ctx)
		}
		wait, stop := context.WithDeadline(ctx, again)
		d, open := sub.Next(wait.Done())
		stop()
		switch {
		case d == nil && !open:
			return errors.Join(sub.Err(), broker.ErrClosed)
		case ctx.Err() != nil:
			return nil
		case d == nil:
			continue
		}
		changed := f.take(d)
		pending, stop := context.WithTimeout(ctx, settle)
		for more, _ := sub.Next(pending.Done()); more != nil; more, _ = sub.Next(pending.Done()) {
			changed = f.take(more) || changed
		}
		stop()
		if changed {
			f.write(ctx)
		}
	}
}

// take takes in an announcement, and says whether it is news.
func (f *follower) take(d *broker.Delivery) bool {
	_ = d.Ack() // a lost channel ends the listening
	var a protocol.Announcement
	if err := protocol.Read(d.Body, &a); err != nil {
		f.log.Warn("an announcement that cannot be read", zap.Error(err))
		return false
	}
	return f.put(a, time.Now())
}

// put takes in an announcement unless a newer one is known that still holds.
func (f *follower) put(a protocol.Announcement, now time.Time) bool {
	if !slices.Contains(f.Services, a.Service) || a.Cluster != f.agent.config.Cluster {
		return false
	}
	have, is := f.known[a.Service]
	if is && !have.expired(now) && (a.Epoch < have.Epoch || a.Epoch == have.Epoch && a.Revision < have.Revision) {
		return false
	}
	f.known[a.Service] = followed{a, now}
	return true
}

// expired says whether something was not announced again in its time: its
// tombstone may have been lost with a leader.
func (f *follower) expired(now time.Time) bool {
	for _, a := range f.known {
		if a.expired(now) {
			return true
		}
	}
	return false
}

// ask asks for what holds now.
func (f *follower) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	body, err := json.Marshal(protocol.SnapshotRequest{V: protocol.Version, Services: f.Services})
	if err != nil {
		return err
	}
	d, _, err := f.agent.caller.Call(ctx, &broker.Message{
		Exchange: protocol.SnapshotExchange(f.agent.config.Cluster), Key: "v1.snapshot", ContentType: "application/json", Body: body,
	})
	if err != nil {
		return err
	}
	var snapshot protocol.Snapshot
	if err := protocol.Read(d.Body, &snapshot); err != nil {
		return fmt.Errorf("the snapshot cannot be read: %w", err)
	}
	for _, a := range snapshot.Announcements {
		f.put(a, time.Now())
	}
	return nil
}

// Content is what a template is given, and the shape of the file without one.
type Content struct {
	Services []protocol.Announcement `json:"services"`
}

// write writes the file if that changes it, and runs the command then. Before
// anything is known it leaves the file as an earlier life has left it.
func (f *follower) write(ctx context.Context) {
	if len(f.known) == 0 {
		return
	}
	content := Content{Services: []protocol.Announcement{}}
	for _, name := range slices.Sorted(maps.Keys(f.known)) {
		if a := f.known[name].Announcement; !a.Deleted {
			a.Revision, a.Epoch, a.TTLSeconds = 0, 0, 0 // what is announced again is no change
			content.Services = append(content.Services, a)
		}
	}
	text, err := f.render(content)
	if err != nil {
		f.log.Error("the file stays as it is", zap.Error(err))
		return
	}
	if old, err := os.ReadFile(f.File); err != nil || !bytes.Equal(old, text) {
		if err := replace(f.File, text); err != nil {
			f.log.Error("the file stays as it is", zap.Error(err))
			return
		}
		f.told = false
		f.log.Info("file written", zap.Int("services", len(content.Services)))
	}
	if f.told {
		return
	}
	f.told = true
	if len(f.Command) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.Command[0], f.Command[1:]...)
	cmd.WaitDelay = time.Second // a child of it may hold its output
	if out, err := cmd.CombinedOutput(); err != nil {
		f.told = false // tried again
		f.log.Error("the command after the file", zap.Strings("command", f.Command), zap.Error(err), zap.ByteString("output", out))
	}
}

// render makes the text of a file.
func (f *follower) render(c Content) ([]byte, error) {
	if f.Template == "" {
		text, err := json.MarshalIndent(c, "", "  ")
		return append(text, '\n'), err
	}
	t, err := template.New(filepath.Base(f.Template)).Option("missingkey=error").ParseFiles(f.Template)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, c)
	return out.Bytes(), err
}

// replace puts a text in the place of a file, all at once: who reads it sees
// either the old one or the new.
func replace(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // after a rename there is none
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
