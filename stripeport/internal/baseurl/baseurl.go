// Package baseurl says where an adapter may send a secret key.
package baseurl

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Check returns an error unless base is a URL that requests can be built on, and
// the key, of live mode or not, is safe on its way there.
func Check(base string, live bool) error {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return errors.New("BaseURL is no URL") // err may show a password
	case u.Hostname() == "", u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return fmt.Errorf("BaseURL %q must be a scheme, a host and at most a path", u.Redacted())
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http" || !IsLoopback(u.Hostname()):
		return fmt.Errorf("BaseURL %q must be https, except on a loopback host", base)
	case live:
		return fmt.Errorf("BaseURL %q must be https: the key is a live-mode key", base)
	}
	return nil
}

// IsLoopback reports whether what is sent to the host stays on this machine.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
