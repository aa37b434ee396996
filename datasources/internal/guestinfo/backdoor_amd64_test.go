package guestinfo

import (
	"strings"
	"testing"
)

// A hypervisor answers as VMware does.
type hypervisor struct {
	vars              map[string]string
	command, answer   string
	toCome            int
	open, closed, sum int
}

func (v *hypervisor) in(r *registers) {
	if r.ax != magic || r.dx&0xffff != port {
		return
	}
	if r.cx&0xffff == cmdVersion {
		r.ax, r.bx = 6, magic
		return
	}
	step := r.cx >> 16
	if step != stepOpen && (r.dx>>16 != 3 || r.si != 0x11 || r.di != 0x22) {
		r.cx = 0
		return
	}
	switch step {
	case stepOpen:
		v.open++
		r.dx, r.si, r.di = 3<<16|port, 0x11, 0x22
	case stepSendSize:
		v.toCome, v.command = int(r.bx), ""
	case stepSendPayload:
		for range min(4, v.toCome) {
			v.command += string(rune(byte(r.bx)))
			r.bx >>= 8
			v.toCome--
		}
	case stepRecvSize:
		v.answer = v.reply()
		r.bx = uint32(len(v.answer))
	case stepRecvPayload:
		r.bx = 0
		for i := range min(4, len(v.answer)) {
			r.bx |= uint32(v.answer[i]) << (8 * i)
		}
		v.answer = v.answer[min(4, len(v.answer)):]
	case stepClose:
		v.closed++
	}
	r.cx = statusOK << 16
}

func (v *hypervisor) reply() string {
	key, ok := strings.CutPrefix(v.command, "info-get guestinfo.")
	if value, set := v.vars[key]; ok && set {
		return "1 " + value
	}
	if k, value, ok := strings.Cut(strings.TrimPrefix(v.command, "info-set guestinfo."), " "); ok {
		v.vars[k] = value
		return "1 "
	}
	return "0 No value found"
}

func (v *hypervisor) rpc(command string) (string, error) {
	c, err := openChannel(v.in)
	if err != nil {
		return "", err
	}
	defer c.call(stepClose, 0)
	if err := c.send(command); err != nil {
		return "", err
	}
	return c.receive()
}

func TestChannelCarriesTextsOfAnyLength(t *testing.T) {
	v := &hypervisor{vars: map[string]string{}}
	for n := range 10 {
		want := strings.Repeat("x", n)
		v.vars["metadata"] = want
		if got, err := get(v.rpc, "metadata"); got != want || err != nil {
			t.Errorf("get() = %q, %v, want %q", got, err, want)
		}
	}
	if got, err := get(v.rpc, "absent"); got != "" || err != nil {
		t.Errorf("get(absent) = %q, %v, want nothing", got, err)
	}
	if err := set(v.rpc, "userdata", Redacted); err != nil || v.vars["userdata"] != Redacted {
		t.Errorf("set() = %v, userdata is %q", err, v.vars["userdata"])
	}
	if v.open != v.closed {
		t.Errorf("%d channels opened, %d closed", v.open, v.closed)
	}
}

func TestPortThatDoesNotAnswerIsAnError(t *testing.T) {
	if _, err := openChannel(func(*registers) {}); err == nil {
		t.Error("openChannel() succeeds without a hypervisor")
	}
}
