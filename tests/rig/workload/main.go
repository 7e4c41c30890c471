// workload is what runs in the pods of a rig that is not Istio's, in one program:
//
//	workload pause          holds the namespaces of a pod
//	workload helloworld v1  answers GET /hello on port 5000 like Istio's sample of that name
//	workload caller ...     calls URLs and counts what comes of it
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	words := append(os.Args[1:], "", "")
	switch words[0] {
	case "pause":
		pause()
	case "helloworld":
		helloworld(words[1])
	case "caller":
		caller(os.Args[2:])
	default:
		fail("unknown program '%s', wanted pause, helloworld or caller", words[0])
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "workload: error: "+format+"\n", arguments...)
	os.Exit(1)
}

func pause() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}

func helloworld(version string) {
	host, _ := os.Hostname()
	http.HandleFunc("GET /hello", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(answer, "Hello version: %s, instance: %s\n", version, host)
	})
	if err := http.ListenAndServe(":5000", nil); err != nil {
		fail("%v", err)
	}
}
