package notify

import (
	"net/http"
	"strings"
	"time"
)

// NewTeams returns the channel of a Teams Workflows webhook ("when a Teams webhook
// request is received"). It posts an Adaptive Card of version 1.4.
func NewTeams(address string, client *http.Client) (Channel, error) {
	return newWeb("teams", address, client, func(m Message) ([]request, error) { return posted(teamsCard(m)) })
}

// callOff is what a link to call something off says. It asks before it does.
const callOff = "Call it off …"

// teamsCard makes the card. All text stands in text runs, which Teams shows as they
// are: a TextBlock would read Markdown out of a circuit's name.
func teamsCard(m Message) object {
	run := func(text string, more object) object {
		r := object{"type": "TextRun", "text": text}
		for name, v := range more {
			r[name] = v
		}
		return r
	}
	block := func(runs ...object) object {
		return object{"type": "RichTextBlock", "inlines": runs, "spacing": "Small"}
	}
	color := map[Severity]string{Info: "Default", Warning: "Warning", Critical: "Attention", Resolved: "Good"}[m.Severity]
	body := []object{block(run(m.Title, object{"weight": "Bolder", "size": "Medium", "color": color})), block(run(m.Text, nil))}
	for _, line := range facts(m) {
		body = append(body, block(run(line[0]+": ", object{"weight": "Bolder"}), run(line[1], nil)))
	}
	for _, c := range m.Next {
		body = append(body, block(run(c, object{"fontType": "Monospace"})))
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "fallbackText": m.Title, "body": body}
	var actions []object
	if m.Cancel != "" {
		actions = append(actions, object{"type": "Action.OpenUrl", "title": callOff, "url": m.Cancel})
	}
	if m.Link != "" {
		actions = append(actions, object{"type": "Action.OpenUrl", "title": "Open the page", "url": m.Link})
	}
	if actions != nil {
		card["actions"] = actions
	}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
}

// facts are the lines below the sentence: a name and a value each.
func facts(m Message) [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	for _, w := range m.Why {
		value := w.Code
		if w.Lift != "" {
			value += " (" + w.Lift + ")"
		}
		add("why", value)
	}
	add("circuit", m.Circuit)
	add("from", strings.Join(m.From, ", "))
	add("to", strings.Join(m.To, ", "))
	if m.Symmetry != "" && m.Symmetry != "symmetric" {
		add("other direction", m.Symmetry)
	}
	add("by", m.Actor)
	add("operation", m.Operation)
	add("at", m.At.UTC().Format(time.DateTime)+" UTC")
	return out
}
