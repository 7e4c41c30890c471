// charts writes Istio's Helm charts and profiles, which its modules embed, to a folder.
package main

import (
	"fmt"
	"os"

	"istio.io/istio/manifests"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "charts: error: wanted one argument, the folder to write")
		os.Exit(64)
	}
	if err := os.CopyFS(os.Args[1], manifests.FS); err != nil {
		fmt.Fprintf(os.Stderr, "charts: error: %v\n", err)
		os.Exit(1)
	}
}
