package boot

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// hugePages is where the kernel says which programs get huge pages unasked.
const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled"

// tuneMemory gives huge pages only to programs that ask for them. Otherwise
// each small Go program (and there is one beside every container) takes whole
// 2 MiB pages for a few kilobytes: some 5 MB each, measured. With them the
// kernel holds a reserve of about 64 MB to make huge pages from; without, it
// needs only its usual one.
func tuneMemory(_ context.Context, m *machine) error {
	if err := os.WriteFile(hugePages, []byte("madvise"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("huge pages: %w", err)
	}
	if _, chosen := m.config.Rancher.Sysctl["vm.min_free_kbytes"]; chosen {
		return nil
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	total, err := memTotal(string(b))
	if err != nil {
		return err
	}
	return setSysctl("vm.min_free_kbytes", strconv.Itoa(minFree(total)))
}

// minFree is the kernel's own reserve in kB for a machine with so many kB: four
// times the square root, within bounds (mm/page_alloc.c, calculate_min_free_kbytes).
func minFree(total int) int {
	return min(max(int(math.Sqrt(float64(total)*16)), 128), 262144)
}

func memTotal(meminfo string) (int, error) {
	f := strings.Fields(meminfo)
	if len(f) < 2 || f[0] != "MemTotal:" {
		return 0, errors.New("/proc/meminfo does not begin with MemTotal")
	}
	return strconv.Atoi(f[1])
}
