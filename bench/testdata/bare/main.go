// Command bare is the least that can answer the Functions host: net/http and
// nothing else. The program's start is measured against it.
package main

import (
	"net/http"
	"os"
)

func main() {
	err := http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("{}"))
	}))
	_, _ = os.Stderr.WriteString(err.Error() + "\n")
	os.Exit(1)
}
