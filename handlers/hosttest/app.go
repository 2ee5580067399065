package hosttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// hostConfig is what the emulator reads of host.json.
type hostConfig struct {
	FunctionTimeout string `json:"functionTimeout"`
	CustomHandler   struct {
		Description struct {
			Path string   `json:"defaultExecutablePath"`
			Args []string `json:"arguments"`
		} `json:"description"`
		Proxying              bool   `json:"enableProxyingHttpRequest"`
		InitializationTimeout string `json:"initializationTimeout"`
	} `json:"customHandler"`
	Extensions struct {
		HTTP struct {
			RoutePrefix *string `json:"routePrefix"`
		} `json:"http"`
		EventHubs struct {
			MaxEventBatchSize int `json:"maxEventBatchSize"`
		} `json:"eventHubs"`
	} `json:"extensions"`
}

// binding is one binding of a function.json.
type binding struct {
	Type          string   `json:"type"`
	Direction     string   `json:"direction"`
	Name          string   `json:"name"`
	DataType      string   `json:"dataType"`
	Cardinality   string   `json:"cardinality"`
	EventHubName  string   `json:"eventHubName"`
	Connection    string   `json:"connection"`
	ConsumerGroup string   `json:"consumerGroup"`
	Schedule      string   `json:"schedule"`
	RunOnStartup  bool     `json:"runOnStartup"`
	UseMonitor    *bool    `json:"useMonitor"`
	AuthLevel     string   `json:"authLevel"`
	Methods       []string `json:"methods"`
	Route         *string  `json:"route"`
}

// retryPolicy is the retry section of a function.json.
type retryPolicy struct {
	Strategy        string `json:"strategy"`
	MaxRetryCount   *int   `json:"maxRetryCount"`
	DelayInterval   string `json:"delayInterval"`
	MinimumInterval string `json:"minimumInterval"`
	MaximumInterval string `json:"maximumInterval"`
}

// function is one loaded function.
type function struct {
	name    string
	trigger binding
	outputs []binding
	retry   *retryPolicy
}

// app is a loaded app folder.
type app struct {
	config    hostConfig
	functions []function // in the host's order of names
}

// nameRule is the host's rule for the name of a function's folder.
var nameRule = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`) })

// loadApp reads host.json and every <folder>/function.json one level down. The
// file at the root is never read. Settings in %percent% signs are resolved.
func loadApp(dir string, setting func(string) string) (app, error) {
	var a app
	raw, err := os.ReadFile(filepath.Join(dir, "host.json"))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(raw, &a.config); err != nil {
		return a, fmt.Errorf("host.json: %w", err)
	}
	if a.config.CustomHandler.Description.Path == "" {
		return a, errors.New("host.json: Missing worker Description.")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		raw, err := os.ReadFile(filepath.Join(dir, e.Name(), "function.json"))
		if !e.IsDir() || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return a, err
		}
		f, on, err := loadFunction(e.Name(), raw, setting)
		if err != nil {
			return a, fmt.Errorf("%s/function.json: %w", e.Name(), err)
		}
		if on {
			a.functions = append(a.functions, f)
		}
	}
	slices.SortFunc(a.functions, func(x, y function) int {
		return strings.Compare(strings.ToLower(x.name), strings.ToLower(y.name))
	})
	if len(a.functions) == 0 {
		return a, errors.New("no function was found, so the host would not start the handler")
	}
	return a, nil
}

// loadFunction reads one function.json. on is false for a disabled function.
func loadFunction(name string, raw []byte, setting func(string) string) (f function, on bool, err error) {
	f.name = name
	if !nameRule().MatchString(name) || strings.EqualFold(name, "host") {
		return f, false, fmt.Errorf("the folder name %q cannot name a function", name)
	}
	var doc struct {
		Disabled bool         `json:"disabled"`
		Bindings []binding    `json:"bindings"`
		Retry    *retryPolicy `json:"retry"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return f, false, err
	}
	f.retry = doc.Retry
	triggers := 0
	for _, b := range doc.Bindings {
		if strings.HasSuffix(strings.ToLower(b.Type), "trigger") {
			f.trigger = b
			triggers++
		} else {
			f.outputs = append(f.outputs, b)
		}
	}
	if triggers != 1 {
		return f, false, fmt.Errorf("got %d triggers, want exactly one", triggers)
	}
	if doc.Disabled || strings.EqualFold(setting("AzureWebJobs."+name+".Disabled"), "true") {
		return f, false, nil
	}
	if f.retry != nil {
		if err := f.retry.check(); err != nil {
			return f, false, fmt.Errorf("retry: %w", err)
		}
	}
	return f, true, f.trigger.resolve(setting)
}

// percent finds the settings in a binding's value.
var percent = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%([^%]+)%`) })

// resolve puts settings in the place of %NAME%, and asks for the connection.
func (b *binding) resolve(setting func(string) string) error {
	for _, field := range []*string{&b.EventHubName, &b.ConsumerGroup, &b.Schedule, &b.Connection} {
		for _, m := range percent().FindAllStringSubmatch(*field, -1) {
			v := setting(m[1])
			if v == "" {
				return fmt.Errorf("'%s' does not resolve to a value", m[0])
			}
			*field = strings.ReplaceAll(*field, m[0], v)
		}
	}
	if b.Type == "eventHubTrigger" && setting(b.Connection) == "" && setting(b.Connection+"__fullyQualifiedNamespace") == "" {
		return fmt.Errorf("connection: the setting %q is missing", b.Connection)
	}
	return nil
}

// check demands what the host demands of a retry policy.
func (p retryPolicy) check() error {
	if p.MaxRetryCount == nil {
		return errors.New("maxRetryCount is required")
	}
	_, err := p.delay(1, 0.5)
	return err
}

// delay returns the wait before the given retry, from 1. dice is from 0 up to 1.
func (p retryPolicy) delay(retry int, dice float64) (time.Duration, error) {
	switch p.Strategy {
	case "fixedDelay":
		return timeSpan(p.DelayInterval)
	case "exponentialBackoff", "":
		least, err1 := timeSpan(p.MinimumInterval)
		most, err2 := timeSpan(p.MaximumInterval)
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		if retry <= 1 {
			return least, nil
		}
		factor := 0.8 + 0.4*dice
		grown := float64(least) + factor*float64(uint64(1)<<min(retry-2, 40))*float64(least)
		return time.Duration(min(grown, float64(most))), nil
	}
	return 0, fmt.Errorf("strategy: got %q, want fixedDelay or exponentialBackoff", p.Strategy)
}

// timeSpan reads "hh:mm:ss".
func timeSpan(s string) (time.Duration, error) {
	t, err := time.Parse("15:04:05", s)
	if err != nil {
		return 0, fmt.Errorf("got %q, want hh:mm:ss", s)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, nil
}
