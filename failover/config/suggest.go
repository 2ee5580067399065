package config

import "strings"

// suggest returns the known words in one line and the one that was most likely
// meant: "alert, ignore, move; did you mean alert?".
func suggest(word string, known []string) string {
	best, least := "", max(2, len(word)/3+1)
	if len(word) >= 5 {
		least = max(least, 3)
	}
	if len(word) <= 40 {
		for _, k := range known {
			if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
				best, least = k, d
			}
		}
	}
	list := strings.Join(known, ", ")
	if best == "" {
		return list
	}
	return list + "; did you mean " + best + "?"
}

// distance is the number of letters to add, drop, change or swap with a neighbour
// to turn a into b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
