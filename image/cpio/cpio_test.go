package cpio

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rancheros/image/tree"
)

func sample() *tree.Tree {
	t := tree.New()
	t.AddFile("init", 0o755, tree.Bytes([]byte("#!x")), "")
	t.AddLink("lib", "usr/lib", "")
	t.AddDir("dev", 0o755, "")
	return t
}

func TestWriteIsTheNewcFormat(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample(), 0x10); err != nil {
		t.Fatal(err)
	}
	const want = "" +
		"07070100000001000041ED00000000000000000000000200000010" + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\x00\x00\x00" +
		"07070100000002000081ED00000000000000000000000100000010" + "00000003" + "00000000" + "00000000" + "00000000" + "00000000" + "00000005" + "00000000" + "init\x00\x00" + "#!x\x00" +
		"070701000000030000A1FF00000000000000000000000100000010" + "00000007" + "00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "lib\x00\x00\x00" + "usr/lib\x00" +
		"07070100000000000000000000000000000000000000010000000000000000000000000000000000000000000000000000000B00000000TRAILER!!!\x00\x00\x00\x00"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestWriteIsTheSameTwice(t *testing.T) {
	var a, b bytes.Buffer
	if err := Write(&a, sample(), 1); err != nil {
		t.Fatal(err)
	}
	if err := Write(&b, sample(), 1); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two archives of one tree differ")
	}
}
