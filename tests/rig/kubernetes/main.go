// kubernetes is the control plane of a cluster in one program. Its first argument names the server
// to be; the others are that server's own:
//
//	kubernetes etcd --data-dir ...
//	kubernetes kube-apiserver --etcd-servers ...
//
// One program instead of four, because the four share almost all of their code: it links once, and
// takes 120 MB instead of 300.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"

	// Registers the metrics of client-go and of the processes, as the original programs do.
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	servers := map[string]func(arguments []string){
		"etcd":                    etcdmain.Main,
		"kube-apiserver":          run(apiserver.NewAPIServerCommand),
		"kube-controller-manager": run(controllermanager.NewControllerManagerCommand),
		"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	}
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	serve, known := servers[wanted]
	if !known {
		fmt.Fprintf(os.Stderr, "kubernetes: error: unknown server '%s', wanted one of %s\n", wanted, names(servers))
		os.Exit(2)
	}
	// The servers read os.Args too: let each see what it would see as a program of its own.
	os.Args = os.Args[1:]
	serve(os.Args)
}

func run(command func() *cobra.Command) func([]string) {
	return func([]string) { os.Exit(cli.Run(command())) }
}

func names(servers map[string]func([]string)) string {
	var all []string
	for name := range servers {
		all = append(all, name)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
