// kubernetes is the control plane of a cluster, what runs on its nodes, and kubectl, in one program. It
// is told which of them to be by the name that it is called by or, failing that, by its first argument:
//
//	kubernetes etcd --data-dir ...
//	kubernetes kube-apiserver --etcd-servers ...
//	kubectl get pods
//
// One program instead of seven, because they share almost all of their code: it links once, and
// takes 150 MB instead of 500.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	// Registers the metrics of client-go and of the processes, as the original programs do.
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"

	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	programs := map[string]func(arguments []string){
		"etcd":                    etcdmain.Main,
		"kube-apiserver":          run(apiserver.NewAPIServerCommand),
		"kube-controller-manager": run(controllermanager.NewControllerManagerCommand),
		"kube-proxy":              run(proxy.NewProxyCommand),
		"kube-scheduler":          run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
		"kubelet":                 run(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
		"kubectl":                 runKubectl,
	}
	if called, known := programs[filepath.Base(os.Args[0])]; known {
		called(os.Args)
		return
	}
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	start, known := programs[wanted]
	if !known {
		fmt.Fprintf(os.Stderr, "kubernetes: error: unknown program '%s', wanted one of %s\n", wanted, names(programs))
		os.Exit(2)
	}
	// The programs read os.Args too: let each see what it would see as a program of its own.
	os.Args = os.Args[1:]
	start(os.Args)
}

func run(command func() *cobra.Command) func([]string) {
	return func([]string) { os.Exit(cli.Run(command())) }
}

// runKubectl leaves the printing of errors to kubectl, which has its own way with them.
func runKubectl([]string) {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

func names(programs map[string]func([]string)) string {
	var all []string
	for name := range programs {
		all = append(all, name)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
