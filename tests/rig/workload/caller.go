package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// Where a running caller is found again: in the container's own file system.
	pidFile    = "/tmp/caller.pid"
	countsFile = "/tmp/caller.json"

	callTimeout = 2 * time.Second
	saveEvery   = 500 * time.Millisecond
)

// Counts of the calls of one URL. A failure is anything but status 200, by what it was.
type counts struct {
	Answered int            `json:"answered"`
	Failed   int            `json:"failed"`
	Failures map[string]int `json:"failures"`
}

// ledger holds the counts of all URLs.
type ledger struct {
	lock  sync.Mutex
	byURL map[string]*counts
}

// caller has the subcommands
//
//	caller start INTERVAL URL...   begins to call each URL every so often, in the background
//	caller show                    prints the counts so far, as JSON: URL to counts
//	caller stop                    ends it and prints the counts
//
// A caller in the background, because the connection that a command in a pod hangs on breaks whenever
// the API server or the kubelet likes.
func caller(words []string) {
	if len(words) == 0 {
		fail("wanted start, show or stop")
	}
	switch words[0] {
	case "start":
		start(words[1:])
	case "run":
		run(words[1:])
	case "show":
		runningPid()
		printCounts()
	case "stop":
		pid := runningPid()
		_ = syscall.Kill(pid, syscall.SIGTERM)
		for runs(pid) {
			time.Sleep(10 * time.Millisecond)
		}
		printCounts()
		_ = os.Remove(pidFile)
	default:
		fail("unknown command '%s', wanted start, show or stop", words[0])
	}
}

func start(words []string) {
	if len(words) < 2 {
		fail("wanted an interval and URLs")
	}
	if pid, err := readPid(); err == nil && runs(pid) {
		fail("a caller runs already")
	}
	_ = os.Remove(countsFile)
	child := exec.Command("/proc/self/exe", append([]string{"caller", "run"}, words...)...)
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		fail("%v", err)
	}
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
		fail("%v", err)
	}
}

// runningPid fails without a caller: its counts would not be whole.
func runningPid() int {
	pid, err := readPid()
	if err != nil || !runs(pid) {
		fail("no caller runs here")
	}
	return pid
}

// runs is false for a process that has ended though nobody waited for it: the first process of a
// container need not.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func readPid() (int, error) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

func printCounts() {
	text, err := os.ReadFile(countsFile)
	if err != nil {
		fail("%v", err)
	}
	os.Stdout.Write(text)
}

// run calls until it is told to stop. The calls that are under way then are waited for and counted.
func run(words []string) {
	interval, err := time.ParseDuration(words[0])
	if err != nil {
		fail("%v", err)
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	book := &ledger{byURL: map[string]*counts{}}
	var callers sync.WaitGroup
	for _, url := range words[1:] {
		book.byURL[url] = &counts{Failures: map[string]int{}}
		callers.Add(1)
		go func() {
			defer callers.Done()
			callEvery(ended, interval, url, book)
		}()
	}
	for ticks := time.Tick(saveEvery); ended.Err() == nil; {
		book.save()
		select {
		case <-ticks:
		case <-ended.Done():
		}
	}
	callers.Wait()
	book.save()
}

func callEvery(ended context.Context, interval time.Duration, url string, book *ledger) {
	client := &http.Client{
		Timeout: callTimeout,
		// A connection a call: the sidecar on the way takes another connection for it too.
		Transport: &http.Transport{DisableKeepAlives: true},
	}
	for ticks := time.Tick(interval); ended.Err() == nil; {
		book.note(url, call(client, url))
		select {
		case <-ticks:
		case <-ended.Done():
		}
	}
}

// call returns what went wrong, in few words so that the like are counted together.
func call(client *http.Client, url string) string {
	answer, err := client.Get(url)
	if err != nil {
		return reason(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return reason(err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Sprintf("HTTP %d: %.120s", answer.StatusCode, strings.TrimSpace(string(body)))
	}
	return ""
}

func reason(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer in " + callTimeout.String()
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func (book *ledger) note(url, failure string) {
	book.lock.Lock()
	defer book.lock.Unlock()
	counted := book.byURL[url]
	if failure == "" {
		counted.Answered++
		return
	}
	counted.Failed++
	counted.Failures[failure]++
}

// save replaces the file in one step: who reads it sees all of one moment.
func (book *ledger) save() {
	book.lock.Lock()
	text, _ := json.Marshal(book.byURL)
	book.lock.Unlock()
	if os.WriteFile(countsFile+".new", text, 0o600) == nil {
		_ = os.Rename(countsFile+".new", countsFile)
	}
}
