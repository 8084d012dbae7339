package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"landbridge.dev/testenv/programs"
)

// dirEnv names the environment variable that overrides where the running lab
// keeps its files; two labs with different folders may run side by side.
const dirEnv = "LANDBRIDGE_LAB"

// lab is a running or possible lab: a folder.
type lab struct{ dir string }

// theLab is the one that up, exec and down are about.
func theLab() (lab, error) {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		cache, err := programs.CacheDir()
		if err != nil {
			return lab{}, err
		}
		dir = filepath.Join(cache, "lab")
	}
	dir, err := filepath.Abs(dir)
	return lab{dir}, err
}

func (l lab) path(name string) string { return filepath.Join(l.dir, name) }

// log is where the lab's own output goes while it runs.
func (l lab) log() string { return l.path("lab.log") }

// socket is where connections into the namespaces are asked for.
func (l lab) socket() string { return l.path("forward.sock") }

// lockFile is beside the folder, so that the folder can be removed under it.
func (l lab) lockFile() string { return l.dir + ".lock" }

// errUp is that a lab runs.
var errUp = errors.New("the lab is up already")

// claim takes the lab for this process until release, or returns errUp.
func (l lab) claim() (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(l.dir), 0o755); err != nil {
		return func() {}, err
	}
	f, err := os.OpenFile(l.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errUp
	}
	if err != nil {
		return func() {}, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// running says whether a process has claimed the lab.
func (l lab) running() (bool, error) {
	release, err := l.claim()
	if errors.Is(err, errUp) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	release()
	return false, nil
}

// record is what a running lab tells the commands about itself.
type record struct {
	Holder  int    `json:"holder"`  // pid of the process that keeps it up
	Init    int    `json:"init"`    // pid, seen from outside, of the namespaces' first process
	Landing string `json:"landing"` // how to look around, for people

	Inside insideRecord `json:"inside"`
}

// insideRecord is what is known inside only.
type insideRecord struct {
	Kubeconfig string   `json:"kubeconfig"`
	Config     string   `json:"config"`  // landbridge's
	Path       []string `json:"path"`    // folders with kubectl and landbridge
	API        string   `json:"api"`     // "host:port" of the API server
	BIGIP      string   `json:"bigip"`   // of the device's iControl REST
	Peer       string   `json:"peer"`    // of that of its other unit
	Virtual    string   `json:"virtual"` // of a virtual server
	Metrics    string   `json:"metrics"` // of the controller
	VIP        string   `json:"vip"`
	CA         string   `json:"ca"` // path of the device's CA
}

func (l lab) writeJSON(name string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.path(name+".new"), raw, 0o600); err != nil {
		return err
	}
	return os.Rename(l.path(name+".new"), l.path(name))
}

func (l lab) readJSON(name string, v any) error {
	raw, err := os.ReadFile(l.path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w", l.path(name), err)
	}
	return nil
}

// The records of a running lab. The first is written by the inside, the second
// when all is ready.
const (
	insideFile = "inside.json"
	readyFile  = "ready.json"
)

// current is the record of the lab that runs; an error if none does.
func (l lab) current() (record, error) {
	up, err := l.running()
	if err != nil {
		return record{}, err
	}
	if !up {
		return record{}, errors.New("the lab is not up; `landbridge-lab up` starts it")
	}
	var r record
	if err := l.readJSON(readyFile, &r); err != nil {
		return record{}, fmt.Errorf("the lab is starting or ending (%w)", err)
	}
	return r, nil
}
