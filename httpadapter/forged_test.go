package httpadapter_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/httpadapter"
	"github.com/cardonfile/cardonfile/memstore"
	"github.com/cardonfile/cardonfile/setupintent"
	"github.com/cardonfile/cardonfile/setupintent/setupintenttest"
	"github.com/cardonfile/cardonfile/stripeport"
)

// forgeries is how many webhooks TestForged sends; "make forged" sends a million.
var forgeries = flag.Int("forgeries", 10_000, "how many forged webhooks to send")

const (
	hookSecret = "whsec_CANARYvT3kZr9QmB2xLw8YpN5sHd7J"
	signedAt   = 1_700_000_000
)

func mac(secret, at, body string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, at+"."+body)
	return hex.EncodeToString(h.Sum(nil))
}

// A forger knows everything but the secret, and has right signatures to start
// from. What it sends would turn a row active; nobody gets to hear of it.
func TestForged(t *testing.T) {
	t.Parallel()
	store := &setupintenttest.FaultyStore{Store: memstore.New()}
	provider := &setupintenttest.FaultyProvider{Provider: new(setupintenttest.Provider)}
	svc, err := setupintent.New(store, provider, nil)
	require.NoError(t, err)
	h, err := httpadapter.New(svc, nil)
	require.NoError(t, err)
	w, err := stripeport.NewWebhook([]string{hookSecret, hookSecret + "_old"}, &stripeport.WebhookOptions{
		Now: func() time.Time { return time.Unix(signedAt, 0) },
	})
	require.NoError(t, err)
	hook := h.Webhook(w.Parse)

	started := time.Now()
	var accepted, other atomic.Int64
	var wg sync.WaitGroup
	const forgers = 4
	for i := range forgers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f := newForger(uint64(i))
			for range *forgeries / forgers {
				line, body := f.forge()
				r := httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(body))
				r.Header.Set("Stripe-Signature", line)
				rec := httptest.NewRecorder()
				hook.ServeHTTP(rec, r)
				switch {
				case rec.Code == http.StatusOK:
					accepted.Add(1)
					t.Errorf("accepted: %q with %q", line, body)
				case rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `"unverified"`):
					other.Add(1)
				}
			}
		}()
	}
	wg.Wait()
	storeCalls := store.Calls("Load") + store.Calls("Swap")
	providerCalls := 0
	for _, method := range []string{"CreateIntent", "GetIntent", "CancelIntent", "ListIntents"} {
		providerCalls += provider.Calls(method)
	}
	t.Logf("%d forged or mutated webhooks in %s: %d accepted, %d answered with anything but 400 unverified, %d store calls, %d provider calls",
		*forgeries, time.Since(started).Round(time.Millisecond), accepted.Load(), other.Load(), storeCalls, providerCalls)
	require.Zero(t, accepted.Load())
	require.Zero(t, other.Load())
	require.Zero(t, storeCalls)
	require.Zero(t, providerCalls)

	// The same without a forgery gets through: it is about a row that there is not.
	f := newForger(0)
	r := httptest.NewRequest(http.MethodPost, "/hooks/stripe", strings.NewReader(f.body))
	r.Header.Set("Stripe-Signature", f.right)
	rec := httptest.NewRecorder()
	hook.ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, 1, store.Calls("Load"))
}

// forger changes what is right until it is not.
type forger struct {
	*rand.Rand
	body       string
	right, old string // headers; the latter of an hour ago
}

func newForger(seed uint64) *forger {
	const body = `{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1700000000,"livemode":false,"type":"setup_intent.succeeded",` +
		`"data":{"object":{"id":"seti_1","object":"setup_intent","status":"succeeded","customer":null,"payment_method":"pm_1","livemode":false,` +
		`"metadata":{"pending_user_id":"` + rowID + `"}}}}`
	header := func(at int) string {
		return "t=" + strconv.Itoa(at) + ",v1=" + mac(hookSecret, strconv.Itoa(at), body)
	}
	return &forger{rand.New(rand.NewPCG(seed, 1)), body, header(signedAt), header(signedAt - 3600)}
}

func (f *forger) pick(words ...string) string { return words[f.IntN(len(words))] }

// forge returns a signature and a body of which at least one is not right.
func (f *forger) forge() (line, body string) {
	near := strconv.Itoa(signedAt - 300 + f.IntN(601))
	old := strconv.Itoa(signedAt - 3600)
	switch f.IntN(9) {
	case 0: // a guess
		guess := make([]byte, 32)
		for i := range guess {
			guess[i] = byte(f.Uint32())
		}
		return "t=" + near + ",v1=" + hex.EncodeToString(guess), f.body
	case 1: // a secret that is another's, or that a mistake may lead to
		secret := f.pick("", "whsec_", hookSecret[6:], hookSecret+"\n", strings.ToLower(hookSecret), "sk_test_demo", "whsec_somebody_elses_secret_0000000")
		return "t=" + near + ",v1=" + mac(secret, near, f.body), f.body
	case 2: // another byte in the header
		b := []byte(f.right)
		i := f.IntN(len(b))
		b[i] = ' ' + (b[i]-' '+byte(1+f.IntN(94)))%95
		return string(b), f.body
	case 3: // another byte in the body
		b := []byte(f.body)
		b[f.IntN(len(b))] ^= byte(1 + f.IntN(255))
		return f.right, string(b)
	case 4: // cut
		if f.IntN(2) == 0 {
			return f.right[:f.IntN(len(f.right))], f.body
		}
		return f.right, f.body[:f.IntN(len(f.body))]
	case 5: // more
		return f.right, f.pick(f.body+string(rune(f.IntN(128))), " "+f.body, f.body+f.body, "\ufeff"+f.body)
	case 6: // replayed, as it was, or with another time
		return strings.Replace(f.old, old, f.pick(old, near, near+",t="+old, old+",t="+near), 1), f.body
	case 7: // ahead of time
		ahead := strconv.Itoa(signedAt + 301 + f.IntN(1<<26))
		return "t=" + ahead + ",v1=" + mac(hookSecret, ahead, f.body), f.body
	}
	// under another name
	return strings.Replace(f.right, "v1", f.pick("v0", "v2", "V1", "v01", " v1", "v1 ", "v", ""), 1), f.body
}
