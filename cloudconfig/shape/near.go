package shape

// MaxGuesses is after how many problems nobody asks for the nearest word any
// more: a document of nothing else would take minutes.
const MaxGuesses = 100

// Nearest is the word of among that was probably meant by word, or "" when
// none is near: at most a third of its letters may be wrong.
func Nearest(word string, among []string) string {
	if len(word) > 64 {
		return ""
	}
	best, at := "", max(1, len(word)/3)+1
	for _, w := range among {
		if d := distance(word, w); d < at {
			best, at = w, d
		}
	}
	return best
}

// distance counts the letters to add, remove, change or swap to make a from b.
func distance(a, b string) int {
	var before []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if same(a[i], b[j]) {
				cost = 0
			}
			row[j+1] = min(prev[j]+cost, prev[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && same(a[i], b[j-1]) && same(a[i-1], b[j]) {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}

// same takes - and _ for the same letter: they are mistaken most.
func same(a, b byte) bool {
	return a == b || (a == '-' || a == '_') && (b == '-' || b == '_')
}
