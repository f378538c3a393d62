package setupintent_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cardonfile/cardonfile/setupintent"
)

func TestClientSecret(t *testing.T) {
	t.Parallel()
	secret := setupintent.NewClientSecret("seti_1_secret_2")
	require.Equal(t, "seti_1_secret_2", secret.Reveal())
	require.Empty(t, setupintent.ClientSecret{}.Reveal())

	// require.Equal would compare what they hold.
	zero := setupintent.NewClientSecret("") == setupintent.ClientSecret{}
	require.True(t, zero, "an empty text is no secret")
	copied := secret
	identical := copied == secret
	require.True(t, identical)
	identical = setupintent.NewClientSecret("seti_1_secret_2") == secret
	require.False(t, identical, "the same text is not the same secret")

	in := setupintent.Intent{ClientSecret: secret}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	for _, printed := range []string{string(text), fmt.Sprintf("%v %+v %#v %s %q %x", in, in, in, secret, secret, secret), fmt.Sprint(&in, []any{secret, &secret})} {
		require.NotContains(t, printed, "secret_2")
		require.NotContains(t, printed, fmt.Sprintf("%x", "secret_2"))
		require.Contains(t, printed, "[redacted]")
	}

	type holder struct{ secret setupintent.ClientSecret } // fmt asks no method of what is in an unexported field
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{holder{secret}, &holder{secret}, []holder{{secret}}, map[string]holder{"": {secret}}} {
			printed := fmt.Sprintf(verb, v)
			require.NotContains(t, printed, "secret_2", verb)
			require.NotContains(t, strings.ToLower(printed), fmt.Sprintf("%x", "secret_2"), verb)
		}
	}
}
