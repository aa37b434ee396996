package execute

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"rancheros/cloudinit/state"
	"rancheros/cloudinit/tree"
)

// ledgerFile says what of this machine is ours: made by us because a config
// asked for it.
const ledgerFile = state.Data + "/owned.json"

// A ledger is its content. Who is not in it was made by somebody else and is
// left alone whatever the config says.
type ledger struct {
	Version int `json:"version"`
	// Instance is the one for which Files were written and directories Emptied.
	Instance string `json:"instance"`
	// Users are accounts that we made, by name.
	Users map[string]*ownUser `json:"users"`
	// Keys are users in whose authorized_keys we have written.
	Keys map[string]bool `json:"keys"`
	// Files and links that were not there before us: the sha256 of what we wrote,
	// or leadsTo and the target of a symbolic link.
	Files map[string]string `json:"files"`
	// Emptied are directories of which what was in them has been removed.
	Emptied map[string]bool `json:"emptied,omitempty"`
}

type ownUser struct {
	UID int `json:"uid"`
	// Closed: the config named it no more, and we closed it. Expiry is what its
	// line of shadow said before.
	Closed bool   `json:"closed,omitempty"`
	Expiry string `json:"expiry,omitempty"`
}

// openLedger begins to keep books of what is ours. Only a run of the machine's
// own config does: what a person applies by hand is not missed when the config
// does not name it.
func (t *Target) openLedger() error {
	l := &ledger{Version: 1, Users: map[string]*ownUser{}, Keys: map[string]bool{}, Files: map[string]string{}, Emptied: map[string]bool{}}
	t.ledger = l
	b, err := t.Tree.ReadFile(ledgerFile)
	if errors.Is(err, fs.ErrNotExist) {
		l.Instance = t.InstanceID
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, l)
	}
	if err != nil {
		t.ledger = nil // without books nothing is ours
		return fmt.Errorf("read %s: %w; nothing is taken away until it is mended or removed", ledgerFile, err)
	}
	if l.Instance != t.InstanceID {
		// An image may be built on files of the instance that it was made from.
		l.Instance, l.Files, l.Emptied = t.InstanceID, map[string]string{}, map[string]bool{}
	}
	return nil
}

func (t *Target) saveLedger() error {
	if t.ledger == nil || t.Tree.Planned() {
		return nil
	}
	return t.quietly(func() error { return state.WriteJSON(t.Tree, ledgerFile, t.ledger, true) })
}

// ownsUser notes an account that we made.
func (t *Target) ownsUser(name string, uid int) {
	if t.ledger != nil {
		t.ledger.Users[name] = &ownUser{UID: uid}
	}
}

func (t *Target) ownsKeys(user string) {
	if t.ledger != nil {
		t.ledger.Keys[user] = true
	}
}

// ownsFile notes a file that we have written; there says whether it was there
// before.
func (t *Target) ownsFile(p string, data []byte, there bool) { t.owns(p, sumOf(data), there) }

// ownsLink notes a link that we have made.
func (t *Target) ownsLink(p string, there bool) error {
	if t.ledger == nil {
		return nil
	}
	now, err := t.standing(p)
	if err == nil {
		t.owns(p, now, there)
	}
	return err
}

func (t *Target) owns(p, what string, there bool) {
	if t.ledger == nil {
		return
	}
	if _, ours := t.ledger.Files[p]; ours || !there {
		t.ledger.Files[p] = what
	}
}

// leadsTo is how what is noted of a symbolic link begins.
const leadsTo = "-> "

// standing is what would be noted of what is there now.
func (t *Target) standing(p string) (string, error) {
	n, err := t.Tree.Lstat(p)
	if err == nil && n.Kind == tree.Link {
		return leadsTo + n.Link, nil
	}
	b, err := t.Tree.ReadFile(p)
	if err != nil {
		return "", err
	}
	return sumOf(b), nil
}

// madeIt says whether what is there is what we made.
func (t *Target) madeIt(p string) bool {
	if t.ledger == nil {
		return false
	}
	was, ours := t.ledger.Files[p]
	now, err := t.standing(p)
	return ours && err == nil && now == was
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
