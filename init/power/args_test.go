package power

import "testing"

func TestPowerCommandLines(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want Request
		bad  bool
	}{
		{name: "reboot", want: Request{Action: Reboot}},
		{name: "poweroff", args: []string{"-f"}, want: Request{Action: Poweroff, Force: true}},
		{name: "halt", want: Request{Action: Halt}},
		{name: "halt", args: []string{"-r"}, want: Request{Action: Reboot}},
		{name: "shutdown", args: []string{"-h", "now"}, want: Request{Action: Poweroff}},
		{name: "shutdown", args: []string{"-r", "+0"}, want: Request{Action: Reboot}},
		{name: "shutdown", args: []string{"+5"}, bad: true},
		{name: "reboot", args: []string{"now"}, bad: true},
		{name: "reboot", args: []string{"--nope"}, bad: true},
	}
	for _, tt := range tests {
		got, err := Parse(tt.name, tt.args)
		if (err != nil) != tt.bad {
			t.Errorf("%s %v: err = %v", tt.name, tt.args, err)
		}
		if !tt.bad && got != tt.want {
			t.Errorf("%s %v = %+v, want %+v", tt.name, tt.args, got, tt.want)
		}
	}
}
