package stripetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// journal is the append-only file that state is kept in. A line is a JSON array
// of records: all that one call did, its answer under an idempotency key among
// it, so that a process that is killed has done a call or has not. A nil journal
// keeps nothing. Server.mu guards it.
type journal struct {
	file  *os.File
	err   error // the first one
	batch bool  // records are kept back in line
	line  []record
}

// record is an object, the whole of it as it then was, or a change of something
// else.
type record struct {
	Object json.RawMessage `json:"object,omitempty"` // as the API shows it
	Hidden json.RawMessage `json:"hidden,omitempty"` // what it does not show
	Key    *keyRecord      `json:"key,omitempty"`
	Clock  *int64          `json:"clock,omitempty"` // the offset, in nanoseconds
	Reset  bool            `json:"reset,omitempty"`
}

// keyRecord is an idempotency key and its answer.
type keyRecord struct {
	Key         string    `json:"key"`
	Class       string    `json:"class,omitempty"` // of the caller; older files have none
	Path        string    `json:"path"`
	Fingerprint string    `json:"fingerprint"`
	At          time.Time `json:"at"`
	Request     string    `json:"request"`
	Status      int       `json:"status"`
	HTML        bool      `json:"html,omitempty"`
	Body        []byte    `json:"body"`
}

// open reads the state back from a file, and appends to it from then on. The
// end of a line that was not written to its end is cut off.
func (s *Server) open(name string) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the caller names the file
	if err != nil {
		return fmt.Errorf("stripetest: state file: %w", err)
	}
	if err := lock(file); err != nil {
		return errors.Join(fmt.Errorf("stripetest: state file %s: another process has it: %w", name, err), file.Close())
	}
	if err := s.replayAll(file); err != nil {
		return errors.Join(fmt.Errorf("stripetest: state file%w", err), file.Close())
	}
	s.journal = &journal{file: file}
	for _, si := range s.state.intents.rows {
		if si.Status == statusProcessing {
			s.settleLater(si, processingTime)
		}
	}
	return nil
}

// replayAll reads a file, and leaves it at the end of its last whole line.
func (s *Server) replayAll(file *os.File) error {
	content, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf(": %w", err)
	}
	whole := bytes.LastIndexByte(content, '\n') + 1
	for i, line := range bytes.Split(content[:whole], []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		if err := s.replay(line); err != nil {
			return fmt.Errorf(", line %d: %w", i+1, err)
		}
	}
	if err := file.Truncate(int64(whole)); err != nil {
		return fmt.Errorf(": %w", err)
	}
	if _, err := file.Seek(int64(whole), io.SeekStart); err != nil {
		return fmt.Errorf(": %w", err)
	}
	return nil
}

func (s *Server) replay(line []byte) error {
	var records []record
	if err := json.Unmarshal(line, &records); err != nil {
		return err
	}
	for _, r := range records {
		if err := s.replayRecord(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) replayRecord(r record) error {
	switch {
	case r.Reset:
		s.state, s.keyring = state{}, keyring{}
		s.clock.offset.Store(0)
	case r.Clock != nil:
		s.clock.offset.Store(*r.Clock)
	case r.Key != nil:
		return s.replayKey(r.Key)
	case r.Object != nil:
		return s.replayObject(r.Object, r.Hidden)
	}
	return nil
}

func (s *Server) replayKey(k *keyRecord) error {
	sum, err := hex.DecodeString(k.Fingerprint)
	if err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("fingerprint %q", k.Fingerprint)
	}
	s.keyring.put(ringKey{k.Class, k.Key}, &stored{
		path: k.Path, fingerprint: [sha256.Size]byte(sum), at: k.At, request: k.Request, done: true,
		answer: answer{status: k.Status, html: k.HTML, body: k.Body},
	})
	return nil
}

func (s *Server) replayObject(object, hidden json.RawMessage) error {
	var kind struct {
		Object string `json:"object"`
	}
	if err := json.Unmarshal(object, &kind); err != nil {
		return err
	}
	obj := newRow(kind.Object)
	if obj == nil {
		return fmt.Errorf("object of kind %q", kind.Object)
	}
	if err := json.Unmarshal(object, obj); err != nil {
		return err
	}
	if hidden != nil {
		if err := json.Unmarshal(hidden, hiddenOf(obj)); err != nil {
			return err
		}
	}
	s.state.put(obj)
	return nil
}

// newRow returns an empty object of a kind, nil for a kind that is not kept.
func newRow(kind string) row {
	switch kind {
	case "setup_intent":
		return new(setupIntent)
	case "setup_attempt":
		return new(setupAttempt)
	case "customer":
		return new(customer)
	case "payment_method":
		return new(paymentMethod)
	case "mandate":
		return new(mandate)
	case "ephemeral_key":
		return new(ephemeralKey)
	case "event":
		return new(event)
	case "webhook_endpoint":
		return new(webhookEndpoint)
	}
	return nil
}

// hiddenOf returns a pointer to what the API does not show of obj, nil if that
// is nothing.
func hiddenOf(obj row) any {
	switch obj := obj.(type) {
	case *setupIntent:
		return &obj.hidden
	case *customer:
		return &obj.hidden
	case *paymentMethod:
		return &obj.hidden
	case *mandate:
		return &obj.hidden
	case *ephemeralKey:
		return &obj.hidden
	case *event:
		return &obj.hidden
	case *webhookEndpoint:
		return &obj.hidden
	}
	return nil
}

func (j *journal) object(obj row) {
	if j == nil {
		return
	}
	r := record{Object: encode(obj)}
	if hidden := hiddenOf(obj); hidden != nil {
		r.Hidden = encode(hidden)
	}
	j.write(r)
}

func (j *journal) key(key ringKey, e *stored) {
	if j == nil {
		return
	}
	j.write(record{Key: &keyRecord{
		Key: key.key, Class: key.class, Path: e.path, Fingerprint: hex.EncodeToString(e.fingerprint[:]), At: e.at, Request: e.request,
		Status: e.answer.status, HTML: e.answer.html, Body: e.answer.body,
	}})
}

func (j *journal) clock(offset int64) {
	if j != nil {
		j.write(record{Clock: &offset})
	}
}

func (j *journal) reset() {
	if j != nil {
		j.write(record{Reset: true})
	}
}

// begin keeps back what is written until commit.
func (j *journal) begin() {
	if j != nil {
		j.batch = true
	}
}

func (j *journal) commit() {
	if j == nil {
		return
	}
	j.batch = false
	if len(j.line) > 0 {
		j.flush()
	}
}

func (j *journal) write(r record) {
	j.line = append(j.line, r)
	if !j.batch {
		j.flush()
	}
}

// flush appends a line. It is not synced: it is to outlive the process, not the
// machine.
func (j *journal) flush() {
	line := encode(j.line)
	j.line = nil
	if j.file != nil && j.err == nil {
		_, j.err = j.file.Write(line)
	}
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	if err := j.file.Close(); j.err == nil {
		j.err = err
	}
	j.file = nil
	if j.err != nil {
		return fmt.Errorf("stripetest: state file: %w", j.err)
	}
	return nil
}
