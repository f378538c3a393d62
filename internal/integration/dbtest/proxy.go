package dbtest

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Proxy stands between a driver and its server, and cuts connections on demand.
type Proxy struct {
	upstream string
	listener net.Listener

	mu    sync.Mutex
	when  func() bool
	conns map[net.Conn]struct{}
}

// Proxy returns a proxy to the engine's server, and the DSN of the same database
// through it.
func (e Engine) Proxy(t testing.TB, dsn string) (*Proxy, string) {
	t.Helper()
	p := &Proxy{conns: map[net.Conn]struct{}{}}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.listener = l
	if e.server == mariadb {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil {
			t.Fatal(err)
		}
		p.upstream = cfg.Addr
		cfg.Addr = l.Addr().String()
		dsn = cfg.FormatDSN()
	} else {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		p.upstream = u.Host
		dsn = strings.Replace(dsn, u.Host, l.Addr().String(), 1)
	}
	var serving sync.WaitGroup
	serving.Go(func() { p.serve(&serving) })
	t.Cleanup(func() {
		_ = l.Close()
		p.CutAll()
		serving.Wait()
	})
	return p, dsn
}

// CutWhen cuts the connection of an answer for which when says so, before any of
// it has been passed on: the server has then done what it was asked. When may be
// called by several goroutines at once; nil cuts none.
func (p *Proxy) CutWhen(when func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.when = when
}

// CutAll cuts every connection there is, as a restart of the server does.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) serve(serving *sync.WaitGroup) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.upstream)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		serving.Go(func() {
			_, _ = io.Copy(server, client)
			p.end(client, server)
		})
		serving.Go(func() {
			_ = p.answers(client, server)
			p.end(client, server)
		})
	}
}

func (p *Proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *Proxy) answers(client io.Writer, server io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return err
		}
		p.mu.Lock()
		when := p.when
		p.mu.Unlock()
		if when != nil && when() {
			return errCut
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return err
		}
	}
}
