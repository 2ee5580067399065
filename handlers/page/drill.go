package page

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// act is one thing that a person may ask of a drill.
type act struct {
	name, label string
	does        string
}

// acts are the orders about drills.
var acts = []act{
	{"run", "Run the drill", "Begins a run now. Every check is asked first, the way back is stored before anything is moved, and it goes home by itself at its limit."},
	{"stop", "Stop the drill", "Ends the run that is on: what is away goes home at once."},
	{"cancel", "Call the next start off", "The next start never begins; the one after it stays planned."},
}

// told words the end of an order about a drill, for the screen after it.
func toldDrill(code string) string {
	name, is := strings.CutPrefix(code, "drill-")
	if i := slices.IndexFunc(acts, func(a act) bool { return a.name == name }); is && i >= 0 {
		return acts[i].label
	}
	return ""
}

// drillView is an order about a drill on its way.
type drillView struct {
	Act, Label, Does    string
	Drill               Drill
	Key                 string // the drill's name as the form sends it
	Reason, User, Typed string
	Once                string // idempotency key
	Fast                bool
	Problem             *problemView
}

// Acts returns the orders that make sense for a drill as it is.
func (d Drill) Acts() []verbLink {
	if d.Running {
		return []verbLink{{Name: "stop", Label: acts[1].label}}
	}
	out := []verbLink{{Name: "run", Label: acts[0].label}}
	if !d.Next.IsZero() {
		out = append(out, verbLink{Name: "cancel", Label: acts[2].label})
	}
	return out
}

// getDrill shows the form of an order about a drill.
func (s *server) getDrill(w http.ResponseWriter, r *http.Request) {
	s.drill(w, r, r.URL.Query(), func(*screen) int { return http.StatusOK })
}

// postDrill sends it to the API, when the drill's name was typed.
func (s *server) postDrill(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, http.StatusBadRequest, "The form cannot be read", "Go back and send it again.")
		return
	}
	s.drill(w, r, r.PostForm, func(sc *screen) int {
		v := sc.Drill
		switch {
		case v.Typed != v.Key:
			v.Problem = &problemView{Status: http.StatusUnprocessableEntity, Title: "Nothing was ordered: what you typed is not right", Detail: "Type " + label(v.Key) + ", in the same letters."}
		case s.AskName && v.User == "":
			v.Problem = &problemView{Status: http.StatusUnprocessableEntity, Title: "Nothing was ordered: say who you are", Detail: "The journal keeps the name of whoever orders."}
		}
		if v.Problem != nil {
			return v.Problem.Status
		}
		body := struct {
			Reason     string `json:"reason,omitzero"`
			Accelerate bool   `json:"accelerate,omitzero"`
		}{v.Reason, v.Fast && v.Act == "run"}
		rep, err := s.call(r.Context(), r, Base+"v1/drills/"+url.PathEscape(v.Key)+"/"+v.Act, v.User, v.Once, body)
		switch {
		case err != nil:
			v.Problem = &problemView{Status: http.StatusInternalServerError, Title: "The order could not be written"}
		case !rep.ok():
			v.Problem = rep.problem()
		default:
			s.looks.drop()
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Location", sc.Link("ready", "1", "told", "drill-"+v.Act))
			w.WriteHeader(http.StatusSeeOther)
			return 0
		}
		return v.Problem.Status
	})
}

// drill makes the screen, lets then go on with it, and sends it unless then has
// answered already, which it tells by 0.
func (s *server) drill(w http.ResponseWriter, r *http.Request, q url.Values, then func(*screen) int) {
	var list []Drill
	if s.Drills != nil {
		var err error
		if list, err = s.Drills(r.Context()); err != nil {
			s.failed(w, r, "The drills cannot be read", err)
			return
		}
	}
	sees := s.sees(r)
	i := slices.IndexFunc(list, func(d Drill) bool { return d.Name == q.Get("drill") && (sees == nil || sees(d.Group)) })
	a := slices.IndexFunc(acts, func(a act) bool { return a.name == q.Get("act") })
	if i < 0 || a < 0 {
		s.problem(w, r, http.StatusNotFound, "There is no such drill or order", "Start again from the first screen.")
		return
	}
	d := list[i]
	sc := s.newScreen(r, "drill", acts[a].label+": "+label(d.Name))
	v := &drillView{Act: acts[a].name, Label: acts[a].label, Does: acts[a].does, Key: d.Name, Reason: strings.TrimSpace(q.Get("reason")), User: strings.TrimSpace(q.Get("user")),
		Typed: strings.TrimSpace(q.Get("name")), Once: q.Get("key"), Fast: q.Get("fast") != ""}
	if v.Once == "" {
		v.Once = "page-" + rand.Text()
	}
	d.Name, d.Group, d.Says, d.Last = label(d.Name), label(d.Group), prose(d.Says), prose(d.Last)
	v.Drill, sc.Drill, sc.At = d, v, sc.Now
	if status := then(&sc); status != 0 {
		s.send(w, status, sc)
	}
}
