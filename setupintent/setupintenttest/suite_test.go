package setupintenttest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/stretchr/testify/require"
)

func TestProviderInMemory(t *testing.T) {
	t.Parallel()
	setupintenttest.TestProvider(t, inMemory)
}

// inMemory is the provider in memory, with the faults that a backend would have
// played by wrapping it.
func inMemory(testing.TB) setupintenttest.ProviderHarness {
	backend := new(setupintenttest.Provider)
	p := &setupintenttest.FaultyProvider{Provider: backend}
	f := &faults{spent: map[string]bool{}, forgotten: map[string]bool{}}
	p.Before, p.After = f.before, f.after
	return setupintenttest.ProviderHarness{
		Provider: p,
		Succeed:  func(id string) error { return backend.Confirm(id, "pm_1") },
		Forget:   func(id string) error { f.forgotten[id] = true; return nil },
		Fail:     func(fault setupintenttest.Fault) { f.next = &fault },
	}
}

// Providers that can do less, and say so.
func TestLesserProviders(t *testing.T) {
	t.Parallel()
	for name, lesser := range lesserProviders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setupintenttest.TestProvider(t, lesser)
		})
	}
}

var lesserProviders = map[string]func(testing.TB) setupintenttest.ProviderHarness{
	"create only": func(t testing.TB) setupintenttest.ProviderHarness {
		h := inMemory(t)
		h.Provider = setupintent.CreateOnly(h.Provider)
		h.Unsupported = []setupintenttest.Feature{setupintenttest.FeatureGet, setupintenttest.FeatureCancel, setupintenttest.FeatureList}
		return h
	},
	"without keys": func(t testing.TB) setupintenttest.ProviderHarness {
		h := inMemory(t)
		h.Provider = keyless{h.Provider}
		h.Unsupported = []setupintenttest.Feature{setupintenttest.FeatureKeys}
		return h
	},
}

// keyless sends nothing again.
type keyless struct{ setupintent.Provider }

func (p keyless) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	if req.Again {
		return setupintent.Intent{}, setupintent.ErrKeySpent
	}
	return p.Provider.CreateIntent(ctx, req)
}

type faults struct {
	mu        sync.Mutex
	next      *setupintenttest.Fault
	playing   *setupintenttest.Fault
	spent     map[string]bool
	forgotten map[string]bool
}

var errNoAnswer = errors.New("no answer")

func (f *faults) before(method, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forgotten[id] {
		return setupintent.ErrNotFound
	}
	if method != "CreateIntent" {
		return nil
	}
	if f.spent[id] {
		return setupintent.ErrKeySpent
	}
	f.playing, f.next = f.next, nil
	if f.playing == nil {
		return nil
	}
	switch *f.playing {
	case setupintenttest.Refuse:
		return setupintent.ErrRefused
	case setupintenttest.TimeoutThenRefuse, setupintenttest.Outage:
		return errNoAnswer
	case setupintenttest.StoredFailure:
		f.spent[id] = true
		return errNoAnswer
	case setupintenttest.Throttle:
		return setupintent.ErrThrottled
	case setupintenttest.Unauthorized:
		return setupintent.ErrCredentials
	}
	return nil
}

func (f *faults) after(method, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if method != "CreateIntent" || f.playing == nil {
		return nil
	}
	switch *f.playing {
	case setupintenttest.LostAnswer, setupintenttest.Garbage:
		return errNoAnswer
	}
	return nil
}

// Stores that break one rule each: the suite must find every one of them.
var brokenStores = map[string]func(*memstore.Store) setupintent.PendingStore{
	"ignores the version": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			now, err := s.Load(ctx, prev.ID)
			if err != nil {
				return false, nil
			}
			prev.Version = now.Version
			return s.Swap(ctx, prev, next)
		}}
	},
	"ignores the status": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			now, err := s.Load(ctx, prev.ID)
			if err != nil || now.Version != prev.Version {
				return false, nil
			}
			prev.Status = now.Status
			return s.Swap(ctx, prev, next)
		}}
	},
	"takes next's status, or pending, for the row's": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			now, err := s.Load(ctx, prev.ID)
			if err != nil || next.Status != prev.Status && prev.Status != setupintent.Pending {
				return false, nil
			}
			prev.Status = now.Status
			return s.Swap(ctx, prev, next)
		}}
	},
	"lets a pending row pass": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			now, err := s.Load(ctx, prev.ID)
			if err != nil || next.Status != prev.Status && prev.Status != setupintent.Pending {
				return false, nil
			}
			if now.Status == setupintent.Pending {
				prev.Status = setupintent.Pending
			}
			return s.Swap(ctx, prev, next)
		}}
	},
	"loses microseconds": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			next.Due = next.Due.Truncate(time.Millisecond)
			return s.Swap(ctx, prev, next)
		}}
	},
	"reports a lost swap as an error": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			ok, err := s.Swap(ctx, prev, next)
			if !ok && err == nil {
				err = setupintent.ErrNotFound
			}
			return ok, err
		}}
	},
	"always says true": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			_, err := s.Swap(ctx, prev, next)
			return err == nil, err
		}}
	},
	"does not swap at once": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			now, err := s.Load(ctx, prev.ID)
			if err != nil || now.Version != prev.Version || now.Status != prev.Status {
				return false, err
			}
			runtime.Gosched() // the window between a read and a write
			for {
				if now, err = s.Load(ctx, prev.ID); err != nil || now.Status != setupintent.Pending {
					return false, err
				}
				if ok, err := s.Swap(ctx, now, next); ok || err != nil {
					return ok, err
				}
			}
		}}
	},
	"forgets the progress": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			next.Progress = setupintent.Progress{}
			return s.Swap(ctx, prev, next)
		}}
	},
	"folds the case of the status": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			prev.Status = setupintent.Status(strings.ToLower(string(prev.Status)))
			next.Status = setupintent.Status(strings.ToLower(string(next.Status)))
			return s.Swap(ctx, prev, next)
		}}
	},
	"compares the status without the spaces at its end": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			prev.Status = setupintent.Status(strings.TrimRight(string(prev.Status), " "))
			next.Status = setupintent.Status(strings.TrimRight(string(next.Status), " "))
			return s.Swap(ctx, prev, next)
		}}
	},
	"has a progress column of 512 characters": func(s *memstore.Store) setupintent.PendingStore { return shortProgress(s, 512) },
	"has a progress column of 64 KiB":         func(s *memstore.Store) setupintent.PendingStore { return shortProgress(s, 1<<16-1) },
	"has a progress column in utf8mb3": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			text, err := next.Progress.MarshalText()
			if err != nil {
				return false, err
			}
			text = bytes.Map(func(r rune) rune {
				if r > 0xffff {
					return '?'
				}
				return r
			}, text)
			if err := next.Progress.UnmarshalText(text); err != nil {
				return false, err
			}
			return s.Swap(ctx, prev, next)
		}}
	},
	"forgets when a row that ends is due": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			if next.Status != prev.Status {
				next.Due = time.Time{}
			}
			return s.Swap(ctx, prev, next)
		}}
	},
	"forgets when a row that turns active is due": func(s *memstore.Store) setupintent.PendingStore {
		return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
			if next.Status == setupintent.Active {
				next.Due = time.Time{}
			}
			return s.Swap(ctx, prev, next)
		}}
	},
	"cuts an id at a NUL": func(s *memstore.Store) setupintent.PendingStore { return nulStore{s} },
}

// shortProgress refuses a progress that is too long, as a strict database does.
func shortProgress(s *memstore.Store, most int) setupintent.PendingStore {
	return brokenStore{s, func(ctx context.Context, prev, next setupintent.Row) (bool, error) {
		if text, err := next.Progress.MarshalText(); err != nil || len(text) > most {
			return false, errors.New("the progress is too long")
		}
		return s.Swap(ctx, prev, next)
	}}
}

type nulStore struct{ *memstore.Store }

func (s nulStore) Load(ctx context.Context, id string) (setupintent.Row, error) {
	id, _, _ = strings.Cut(id, "\x00")
	return s.Store.Load(ctx, id)
}

type brokenStore struct {
	*memstore.Store
	swap func(ctx context.Context, prev, next setupintent.Row) (bool, error)
}

func (s brokenStore) Swap(ctx context.Context, prev, next setupintent.Row) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return s.swap(ctx, prev, next)
}

// Providers that break one rule each.
var brokenProviders = map[string]func(*setupintenttest.FaultyProvider) setupintent.Provider{
	"says refused for a timeout": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return brokenProvider{p, func(err error) error {
			if errors.Is(err, errNoAnswer) {
				return setupintent.ErrRefused
			}
			return err
		}}
	},
	"says unknown for a spent key": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return brokenProvider{p, func(err error) error {
			if errors.Is(err, setupintent.ErrKeySpent) {
				return errNoAnswer
			}
			return err
		}}
	},
	"says refused for wrong credentials": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return brokenProvider{p, func(err error) error {
			if errors.Is(err, setupintent.ErrCredentials) {
				return errors.Join(err, setupintent.ErrRefused)
			}
			return err
		}}
	},
	"says nothing": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return brokenProvider{p, func(err error) error {
			if err != nil {
				return errNoAnswer
			}
			return nil
		}}
	},
	"tells the secret in a cause": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return leaky{p, func(cause error) error { return wrapped{cause} }}
	},
	"tells the secret in one of several causes": func(p *setupintenttest.FaultyProvider) setupintent.Provider {
		return leaky{p, func(cause error) error { return joined{[]error{errNoAnswer, wrapped{cause}}} }}
	},
}

// leaky puts the secret of an intent that was made into what the error wraps.
type leaky struct {
	*setupintenttest.FaultyProvider
	wrap func(cause error) error
}

func (p leaky) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	in, err := p.FaultyProvider.CreateIntent(ctx, req)
	if errors.Is(err, errNoAnswer) {
		made, _ := p.Provider.CreateIntent(ctx, req)
		err = p.wrap(errors.New(made.ClientSecret.Reveal()))
	}
	return in, err
}

// wrapped and joined say nothing of what they wrap.
type (
	wrapped struct{ cause error }
	joined  struct{ causes []error }
)

func (wrapped) Error() string   { return "no answer" }
func (e wrapped) Unwrap() error { return e.cause }

func (joined) Error() string     { return "no answer" }
func (e joined) Unwrap() []error { return e.causes }

type brokenProvider struct {
	*setupintenttest.FaultyProvider
	say func(error) error
}

func (p brokenProvider) CreateIntent(ctx context.Context, req setupintent.IntentRequest) (setupintent.Intent, error) {
	in, err := p.FaultyProvider.CreateIntent(ctx, req)
	return in, p.say(err)
}

// Harnesses that say what is not so.
var brokenHarnesses = map[string]func(testing.TB) setupintenttest.ProviderHarness{
	"can cancel, and does not say so": func(t testing.TB) setupintenttest.ProviderHarness {
		h := inMemory(t)
		h.Unsupported = []setupintenttest.Feature{setupintenttest.FeatureCancel}
		return h
	},
	"can't list, and does not say so": func(t testing.TB) setupintenttest.ProviderHarness {
		h := lesserProviders["create only"](t)
		h.Unsupported = h.Unsupported[:2]
		return h
	},
	"has no keys, and sends again": func(t testing.TB) setupintenttest.ProviderHarness {
		h := inMemory(t)
		h.Unsupported = []setupintenttest.Feature{setupintenttest.FeatureKeys}
		return h
	},
	"has no keys, and does not say so": func(t testing.TB) setupintenttest.ProviderHarness {
		h := lesserProviders["without keys"](t)
		h.Unsupported = nil
		return h
	},
}

const brokenEnv = "SETUPINTENTTEST_BROKEN"

// TestSuiteOnBroken is what TestSuitesFindBroken runs in a process of its own,
// for it is to fail.
func TestSuiteOnBroken(t *testing.T) {
	t.Parallel()
	name := os.Getenv(brokenEnv)
	if name == "" {
		return
	}
	if broken := brokenStores[name]; broken != nil {
		setupintenttest.TestStore(t, func(testing.TB) setupintenttest.StoreHarness {
			s := memstore.New()
			return setupintenttest.StoreHarness{Store: broken(s), Insert: s.Insert, SetStatus: s.SetStatus, Delete: s.Delete}
		})
		return
	}
	if broken := brokenHarnesses[name]; broken != nil {
		setupintenttest.TestProvider(t, broken)
		return
	}
	setupintenttest.TestProvider(t, func(t testing.TB) setupintenttest.ProviderHarness {
		h := inMemory(t)
		h.Provider = brokenProviders[name](h.Provider.(*setupintenttest.FaultyProvider))
		return h
	})
}

func TestSuitesFindBroken(t *testing.T) {
	t.Parallel()
	find := func(name string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestSuiteOnBroken$")
			cmd.Env = append(os.Environ(), brokenEnv+"="+name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite passed something that %s:\n%s", name, out)
			require.Contains(t, string(out), "rule: ", "the failure does not print the rule")
		})
	}
	for name := range brokenStores {
		find(name)
	}
	for name := range brokenProviders {
		find(name)
	}
	for name := range brokenHarnesses {
		find(name)
	}
}
