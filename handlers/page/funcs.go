package page

import (
	"html/template"
	"time"
)

// functions are the words of the template.
func functions() template.FuncMap {
	return template.FuncMap{
		"clock":  clock,
		"span":   span,
		"plural": plural,
		"cap":    capital,
		"ago":    func(now, t time.Time) string { return span(now.Sub(t)) },
		"left":   func(now, t time.Time) string { return span(t.Sub(now)) },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"add":    func(a, b int) int { return a + b },
		"pair":   func(sc screen, v any) inner { return inner{sc, v} },
	}
}

// inner gives a part of the template its own value and the screen.
type inner struct {
	Screen screen
	V      any
}
