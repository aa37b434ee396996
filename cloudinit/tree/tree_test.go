package tree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func open(t *testing.T, f func(string) (*Tree, error)) (*Tree, string) {
	t.Helper()
	dir := t.TempDir()
	tr, err := f(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tr.Close() })
	return tr, dir
}

func TestLinksStayInsideTheRoot(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("outside"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr, dir := open(t, Open)
	for _, link := range []struct{ name, target string }{
		{"abs", outside}, {"up", "../../../../../../.." + outside}, {"dir", filepath.Dir(outside)},
	} {
		if err := os.Symlink(link.target, filepath.Join(dir, link.name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []string{"/abs", "/up", "/dir/secret", "/dir/../abs"} {
		if _, err := tr.WriteFile(p, []byte("inside"), Perm{Mode: 0o644}); err != nil {
			t.Errorf("WriteFile(%s) = %v", p, err)
		}
	}
	if b, _ := os.ReadFile(outside); string(b) != "outside" {
		t.Errorf("the file outside now holds %q", b)
	}
	if b, err := os.ReadFile(filepath.Join(dir, outside)); err != nil || string(b) != "inside" {
		t.Errorf("the file inside holds %q, %v", b, err)
	}
}

func TestLinksThatTurnInCirclesEnd(t *testing.T) {
	tr, dir := open(t, Open)
	for a, b := range map[string]string{"a": "b", "b": "a"} {
		if err := os.Symlink(b, filepath.Join(dir, a)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tr.ReadFile("/a"); err == nil || !strings.Contains(err.Error(), "symbolic links") {
		t.Errorf("ReadFile() = %v", err)
	}
}

func TestWritingTheSameChangesNothing(t *testing.T) {
	for name, f := range map[string]func(string) (*Tree, error){"disk": Open, "plan": Plan} {
		t.Run(name, func(t *testing.T) {
			tr, _ := open(t, f)
			for i, want := range []bool{true, false} {
				got, err := tr.WriteFile("/etc/a", []byte("x"), Perm{Mode: 0o600})
				if err != nil || got != want {
					t.Errorf("write %d: changed %v, %v", i, got, err)
				}
			}
			if got, err := tr.WriteFile("/etc/a", []byte("x"), Perm{Mode: 0o640}); err != nil || !got {
				t.Errorf("another mode: changed %v, %v", got, err)
			}
			var ops []string
			for _, c := range tr.Changes() {
				ops = append(ops, c.Op)
			}
			if diff := cmp.Diff([]string{Mkdir, Create, Chmod}, ops); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAPlanSeesItsOwnChanges(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/etc/d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/etc/d/old", []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr, err := Plan(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, err := tr.WriteFile("/etc/d/new", []byte("new\n"), Perm{Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Remove("/etc/d/old"); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Symlink("/etc/link", "d/new", Perm{}); err != nil {
		t.Fatal(err)
	}
	names, err := tr.List("/etc/d")
	if diff := cmp.Diff([]string{"new"}, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if b, err := tr.ReadFile("/etc/link"); err != nil || string(b) != "new\n" {
		t.Errorf("through the link: %q, %v", b, err)
	}
	if tr.Exists("/etc/d/old") {
		t.Error("what was removed is still there")
	}
	if _, err := os.Stat(dir + "/etc/d/old"); err != nil {
		t.Error("the plan changed the disk")
	}
}

func TestAHardLinkIsAnotherNameOfTheFile(t *testing.T) {
	for name, f := range map[string]func(string) (*Tree, error){"disk": Open, "plan": Plan} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"old": "text", "other": "else"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			tr, err := f(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			if same, err := tr.SameFile("/other", "/old"); same || err != nil {
				t.Errorf("before: same %v, %v", same, err)
			}
			for i, want := range []bool{true, false} {
				if got, err := tr.Hardlink("/other", "/old"); err != nil || got != want {
					t.Errorf("link %d: changed %v, %v", i, got, err)
				}
			}
			if b, err := tr.ReadFile("/other"); err != nil || string(b) != "text" {
				t.Errorf("it holds %q, %v", b, err)
			}
			if _, err := tr.SetPerm("/other", Perm{Mode: 0o600, UID: os.Getuid(), GID: os.Getgid()}); err != nil {
				t.Fatal(err)
			}
			if n, err := tr.Lstat("/old"); err != nil || n.Mode != 0o600 {
				t.Errorf("by its first name the mode is %o, %v", n.Mode, err)
			}
			if _, err := tr.WriteFile("/old", []byte("new"), Perm{Mode: 0o644}); err != nil {
				t.Fatal(err)
			}
			if same, err := tr.SameFile("/other", "/old"); same || err != nil {
				t.Errorf("a file that was replaced is the same: %v, %v", same, err)
			}
			if _, err := tr.Hardlink("/none", "/missing"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("link to nothing: %v", err)
			}
		})
	}
}

func TestALinkPutInPlaceOfAFolderMeanwhileIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"gone/b/a", "gone/b/inner", "kept/inner"} {
		if err := os.MkdirAll(filepath.Join(dir, p), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// While b is emptied, it becomes a link to what is to be kept.
	tr, err := OpenWithHook(dir, func(step, p string) error {
		if step != "remove" || p != "/gone/b/a" {
			return nil
		}
		return errors.Join(os.Rename(dir+"/gone/b", dir+"/moved"), os.Symlink("/kept", dir+"/gone/b"))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.RemoveAll("/gone"); err != nil {
		t.Fatal(err)
	}
	if tr.Exists("/gone") || !tr.Exists("/kept/inner") {
		t.Error("want the folder gone, and what the link leads to kept")
	}
}

func TestBelowAHomeNoLinkIsFollowed(t *testing.T) {
	tr, dir := open(t, Open)
	if err := os.MkdirAll(dir+"/home/eve", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/root", dir+"/home/eve/.ssh"); err != nil {
		t.Fatal(err)
	}
	_, err := tr.WriteFileBelow("/home/eve", "/home/eve/.ssh/authorized_keys", nil, Perm{Mode: 0o600}, Perm{Mode: 0o700})
	if err == nil {
		t.Error("the link was followed")
	}
	if _, err := tr.WriteFileBelow("/home/eve", "/home/bob/x", nil, Perm{}, Perm{}); err == nil {
		t.Error("a path outside of the home was taken")
	}
}

// A power cut at every step of replacing a file leaves the old or the new one.
func TestAFileIsOldOrNew(t *testing.T) {
	for n := 0; ; n++ {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/f", []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		left := n
		tr, err := OpenWithHook(dir, func(string, string) error {
			if left == 0 {
				return ErrKilled()
			}
			left--
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, werr := tr.WriteFile("/f", []byte("new and longer"), Perm{Mode: 0o600})
		tr.Close()
		b, err := os.ReadFile(dir + "/f")
		if err != nil || string(b) != "old" && string(b) != "new and longer" {
			t.Fatalf("step %d left %q, %v", n, b, err)
		}
		// What is left behind does not stop the next try.
		again, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.WriteFile("/f", []byte("third"), Perm{Mode: 0o600}); err != nil {
			t.Fatalf("after step %d: %v", n, err)
		}
		again.Close()
		if werr == nil {
			if n < 4 {
				t.Errorf("only %d steps were seen", n)
			}
			return
		}
		if !errors.Is(werr, ErrKilled()) {
			t.Fatal(werr)
		}
	}
}

func TestDiffShowsWhatChangesAndNoSecrets(t *testing.T) {
	for _, test := range []struct {
		name string
		c    Change
		want string
	}{
		{"replace", Change{Op: Replace, Path: "/a", Mode: 0o644, Before: []byte("1\n2\n3\n4\n5\n6\n7\n8\n9\n"), After: []byte("1\n2\n3\n4\n5\nsix\n7\n8\n9\n")},
			"replace /a (0644, 0:0)\n  ...\n  3\n  4\n  5\n- 6\n+ six\n  7\n  8\n  9\n"},
		{"create", Change{Op: Create, Path: "/a", Mode: 0o644, After: []byte("x\n")}, "create /a (0644, 0:0)\n+ x\n"},
		{"secret", Change{Op: Create, Path: "/a", Mode: 0o600, Secret: true, After: []byte("hunter2\n")},
			"create /a (0600, 0:0)\n  (content not shown: not everybody may read this file)\n"},
		{"binary", Change{Op: Create, Path: "/a", Mode: 0o644, After: []byte{0, 1}}, "create /a (0644, 0:0)\n  (binary: 0 bytes, then 2)\n"},
		{"run", Change{Op: Run, Target: "date"}, "run date\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.c.Diff()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutTheCallTheWalkOpensTheSame(t *testing.T) {
	tr, dir := open(t, Open)
	for _, d := range []string{"a/b", "c"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a/b/file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"link": "a", "a/last": "b/file", "gone": "nowhere"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	d := tr.s.(*disk)
	for _, p := range []string{"/", "/a", "/a/", "/a/b/file", "/a/last", "/gone", "/link", "/link/b", "/link/b/file", "/c/none", "/none/c", "/a/b/file/x"} {
		for _, flags := range []int{unix.O_PATH, unix.O_PATH | unix.O_DIRECTORY, unix.O_RDONLY} {
			want := opened(d.walk(p, flags))
			if got := opened(d.open(p, flags)); got != want {
				t.Errorf("open(%s, %#x) = %s, the walk says %s", p, flags, got, want)
			}
			fd, err := d.openStraight(p, flags)
			if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
				continue // an old kernel, or a sandbox: open, above, is the walk there
			}
			if got := opened(fd, err); (got == "") != (want == "") {
				t.Errorf("openStraight(%s, %#x) = %s, the walk says %s", p, flags, got, want)
			}
		}
	}
}

// opened closes what was opened and says why it could not be; "" when it was.
func opened(fd int, err error) string {
	if err != nil {
		return err.Error()
	}
	unix.Close(fd)
	return ""
}
