package notify

import (
	"net/http"
	"strings"
)

// NewSlack returns the channel of a Slack incoming webhook.
func NewSlack(address string, client *http.Client) (Channel, error) {
	return newWeb("slack", address, client, func(m Message) ([]request, error) { return posted(slackBlocks(m)) })
}

// slackBlocks makes the blocks. All text is plain or in rich text elements, in which
// Slack reads no mark-up; the fallback is mark-up for Slack, and is escaped.
func slackBlocks(m Message) object {
	plain := func(text string) object { return object{"type": "plain_text", "text": text, "emoji": false} }
	span := func(text string, bold bool) object {
		return object{"type": "text", "text": text, "style": object{"bold": bold}}
	}
	sign := map[Severity]string{Info: "", Warning: "Warning. ", Critical: "Critical. ", Resolved: "Resolved. "}[m.Severity]
	lines := []object{span(m.Text+"\n", false)}
	for _, f := range facts(m) {
		lines = append(lines, span(f[0]+": ", true), span(f[1]+"\n", false))
	}
	rich := []object{{"type": "rich_text_section", "elements": lines}}
	if len(m.Next) > 0 {
		rich = append(rich, object{"type": "rich_text_preformatted", "elements": []object{{"type": "text", "text": strings.Join(m.Next, "\n")}}})
	}
	if m.Cancel != "" {
		rich = append(rich, object{"type": "rich_text_section", "elements": []object{{"type": "link", "url": m.Cancel, "text": callOff}}})
	}
	if m.Link != "" {
		rich = append(rich, object{"type": "rich_text_section", "elements": []object{{"type": "link", "url": m.Link, "text": "Open the page"}}})
	}
	title := []rune(sign + m.Title)
	return object{
		"text":   strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(sign + m.Title),
		"mrkdwn": false,
		"blocks": []object{{"type": "header", "text": plain(string(title[:min(len(title), 150)]))}, {"type": "rich_text", "elements": rich}}, // Slack takes 150 characters of a header
	}
}
