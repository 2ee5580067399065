package proof

import (
	"bytes"

	"erfailover/failover/record"
)

// What a newer version of the same schema writes beside what this one knows: a fact
// about the document, and one about the running operation.
const (
	newerField = `"a_newer_field":{"deep":[1]}`
	newerFact  = `"a_newer_fact":7`
)

// news adds to a document what a newer version would.
func news(body []byte) []byte {
	body = bytes.Clone(body)
	if !bytes.Contains(body, []byte(newerField)) {
		body = bytes.Replace(body, []byte(`{"schema":1`), []byte(`{"schema":1,`+newerField), 1)
	}
	if !bytes.Contains(body, []byte(newerFact)) {
		body = bytes.Replace(body, []byte(`"operation":{`), []byte(`"operation":{`+newerFact+`,`), 1)
	}
	return body
}

// keepsNews is S32: what a newer version has written stays, whoever saves the document
// next; and the running operation keeps its own.
func (o *oracles) keepsNews(i *instance, doc record.Document) {
	if !o.w.swarm.mixed {
		return
	}
	old, err := o.w.store.Load(o.ctx(), doc.Key)
	if err != nil || old.ETag != doc.ETag {
		return
	}
	o.must("S32", !bytes.Contains(old.Body, []byte(newerField)) || bytes.Contains(doc.Body, []byte(newerField)), "%s drops from %s what a newer version wrote", i.name, doc.Key)
	same := operationID(old.Body) == operationID(doc.Body)
	o.must("S32", !same || !bytes.Contains(old.Body, []byte(newerFact)) || bytes.Contains(doc.Body, []byte(newerFact)), "%s drops from the operation of %s what a newer version wrote", i.name, doc.Key)
}

// operationID returns the bytes that name a document's operation.
func operationID(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"operation":{`))
	_, id, _ := bytes.Cut(rest, []byte(`"id":"op-`))
	return string(id[:min(len(id), 16)])
}
