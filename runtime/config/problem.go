package config

import "fmt"

// Problem is one mistake in a configuration.
type Problem struct {
	Place string // file:line:column, variable or flag
	Key   string // "" when no key is to blame
	Text  string
}

// Error is the place, the key and what is wrong.
func (p *Problem) Error() string {
	if p.Key == "" {
		return fmt.Sprintf("%s: %s", p.Place, p.Text)
	}
	return fmt.Sprintf("%s: %s: %s", p.Place, p.Key, p.Text)
}

// maxDistance is how many edits away a suggestion may be.
const maxDistance = 3

// didYouMean suggests the nearest setting; "" when none is near.
func didYouMean(key string) string {
	best, distance := "", maxDistance+1
	for _, s := range Settings() {
		if d := edits(key, s.Key); d < distance {
			best, distance = s.Key, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
