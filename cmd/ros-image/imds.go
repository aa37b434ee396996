package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rancheros/datasources/dstest"
)

func newIMDS() *cobra.Command {
	return &cobra.Command{
		Use:   "imds DIR",
		Short: "Serve a recorded metadata service on standard input and output",
		Long: `Imds answers HTTP requests from DIR on standard input and output. QEMU starts
it for each connection to 169.254.169.254:

  -netdev user,net=169.254.0.0/16,host=169.254.0.2,guestfwd=tcp:169.254.169.254:80-cmd:"ros-image imds DIR"

DIR is a folder http/ of a datasource's testdata (see datasources/dstest).`,
		Example: `  ros-image imds datasources/ec2/testdata/plain/http`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := dstest.Handler(args[0])
			if err != nil {
				return err
			}
			c := &stdio{done: make(chan struct{})}
			s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
			if err := s.Serve(&once{conn: c}); !errors.Is(err, io.EOF) {
				return err
			}
			return nil
		},
	}
}

// once is a listener that gives one connection and ends when that does.
type once struct {
	conn *stdio
	used bool
}

func (o *once) Accept() (net.Conn, error) {
	if !o.used {
		o.used = true
		return o.conn, nil
	}
	<-o.conn.done
	return nil, io.EOF
}

func (o *once) Close() error   { return nil }
func (o *once) Addr() net.Addr { return &net.UnixAddr{Name: "stdio"} }

// stdio is standard input and output as a connection.
type stdio struct {
	close sync.Once
	done  chan struct{}
}

func (s *stdio) Read(b []byte) (int, error)  { return os.Stdin.Read(b) }
func (s *stdio) Write(b []byte) (int, error) { return os.Stdout.Write(b) }

func (s *stdio) Close() error {
	s.close.Do(func() { close(s.done) })
	return nil
}

func (s *stdio) LocalAddr() net.Addr                { return &net.UnixAddr{Name: "stdio"} }
func (s *stdio) RemoteAddr() net.Addr               { return &net.UnixAddr{Name: "stdio"} }
func (s *stdio) SetDeadline(t time.Time) error      { return nil }
func (s *stdio) SetReadDeadline(t time.Time) error  { return nil }
func (s *stdio) SetWriteDeadline(t time.Time) error { return nil }
