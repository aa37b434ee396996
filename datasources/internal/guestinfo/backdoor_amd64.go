package guestinfo

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

const haveBackdoor = true

// backdoor talks to the hypervisor itself, in the way of open-vm-tools' RPCI:
// a channel is opened, a text goes out and one comes back, four bytes at a time.
//
// https://sites.google.com/site/chitchatvmback/backdoor
type backdoor struct{}

func (backdoor) Where() string                  { return "guestinfo" }
func (backdoor) Get(key string) (string, error) { return get(rpc, key) }
func (backdoor) Set(key, value string) error    { return set(rpc, key, value) }

const (
	port  = 0x5658     // "VX"
	magic = 0x564d5868 // "VMXh"

	cmdVersion = 10
	cmdMessage = 0x1e

	protocolRPCI = 0x49435052 // "RPCI"
	flagCookie   = 0x80000000

	// The steps of a message, in the upper half of CX.
	stepOpen        = 0
	stepSendSize    = 1
	stepSendPayload = 2
	stepRecvSize    = 3
	stepRecvPayload = 4
	stepRecvStatus  = 5
	stepClose       = 6

	statusOK = 1
	// maxAnswer is more than the host allows for a variable (1 MiB).
	maxAnswer = 2 << 20
)

// registers are those that an answer may change. in knows their order.
type registers struct{ ax, bx, cx, dx, si, di uint32 }

func in(r *registers)

// rpc sends a command and returns the answer.
func rpc(command string) (answer string, err error) {
	// The right to use ports belongs to a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Ioperm(port, 4, 1); err != nil {
		return "", fmt.Errorf("ask for the hypervisor's port: %w; need to be root", err)
	}
	defer unix.Ioperm(port, 4, 0)
	c, err := openChannel(in)
	if err != nil {
		return "", err
	}
	defer c.call(stepClose, 0)
	if err := c.send(command); err != nil {
		return "", err
	}
	return c.receive()
}

// A channel is an open conversation.
type channel struct {
	in               func(*registers)
	id               uint32 // in the upper half of DX
	cookie1, cookie2 uint32
}

func openChannel(in func(*registers)) (*channel, error) {
	v := &registers{ax: magic, bx: ^uint32(magic), cx: cmdVersion, dx: port}
	in(v)
	if v.bx != magic || v.ax == 0xffffffff {
		return nil, errors.New("the hypervisor's port does not answer")
	}
	r := &registers{ax: magic, bx: protocolRPCI | flagCookie, cx: stepOpen<<16 | cmdMessage, dx: port}
	in(r)
	if r.cx>>16&statusOK == 0 {
		return nil, errors.New("the hypervisor opens no channel")
	}
	return &channel{in, r.dx & 0xffff0000, r.si, r.di}, nil
}

// call does one step with one value and returns all registers.
func (c *channel) call(step, value uint32) (registers, error) {
	r := registers{ax: magic, bx: value, cx: step<<16 | cmdMessage, dx: c.id | port, si: c.cookie1, di: c.cookie2}
	c.in(&r)
	if r.cx>>16&statusOK == 0 {
		return r, fmt.Errorf("the hypervisor refuses step %d: status %#x", step, r.cx>>16)
	}
	return r, nil
}

func (c *channel) send(s string) error {
	if _, err := c.call(stepSendSize, uint32(len(s))); err != nil {
		return err
	}
	for len(s) > 0 {
		var word uint32
		n := min(4, len(s))
		for i := range n {
			word |= uint32(s[i]) << (8 * i)
		}
		if _, err := c.call(stepSendPayload, word); err != nil {
			return err
		}
		s = s[n:]
	}
	return nil
}

func (c *channel) receive() (string, error) {
	r, err := c.call(stepRecvSize, 0)
	if err != nil {
		return "", err
	}
	size := int(r.bx)
	if r.bx > maxAnswer {
		return "", fmt.Errorf("the hypervisor's answer has %d bytes", r.bx)
	}
	b := make([]byte, 0, size+3)
	for len(b) < size {
		r, err := c.call(stepRecvPayload, statusOK)
		if err != nil {
			return "", err
		}
		b = append(b, byte(r.bx), byte(r.bx>>8), byte(r.bx>>16), byte(r.bx>>24))
	}
	if _, err := c.call(stepRecvStatus, statusOK); err != nil {
		return "", err
	}
	return string(b[:size]), nil
}
