// server is a thousand API servers in one process: a port of 127.0.0.1 each, TLS and HTTP/2, every
// answer after a fixed latency. They know configmaps, applied and read, and as much of discovery as
// kubectl asks for. Dead ones accept connections and never say a word.
//
// It prints one line of JSON, {"ca": PEM, "ports": [...], "dead": [...]}, and ends when its standard
// input does.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type object = map[string]any

// apiServer is one cluster's.
type apiServer struct {
	latency time.Duration
	mutex   sync.Mutex
	objects map[string]object
	version int
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.latency)
	switch r.URL.Path {
	case "/version":
		answer(w, 200, object{"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
	case "/api":
		answer(w, 200, object{"kind": "APIVersions", "versions": []string{"v1"}})
	case "/apis":
		answer(w, 200, object{"kind": "APIGroupList", "apiVersion": "v1", "groups": []string{}})
	case "/api/v1":
		answer(w, 200, object{"kind": "APIResourceList", "groupVersion": "v1", "resources": []object{{
			"name": "configmaps", "singularName": "configmap", "kind": "ConfigMap", "namespaced": true,
			"verbs": []string{"create", "delete", "get", "list", "patch", "update", "watch"}}}})
	default:
		s.serveObject(w, r)
	}
}

func (s *apiServer) serveObject(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /api/v1/namespaces/NS/configmaps/NAME
	if len(parts) != 7 || parts[5] != "configmaps" {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, exists := s.objects[r.URL.Path]
	switch {
	case r.Method == http.MethodPatch:
		var applied object
		if err := json.Unmarshal(body, &applied); err != nil {
			answer(w, 400, object{"kind": "Status", "status": "Failure", "message": err.Error(), "code": 400})
			return
		}
		s.version++
		metadata := applied["metadata"].(object)
		metadata["uid"] = fmt.Sprintf("00000000-0000-4000-a000-%012d", len(s.objects))
		metadata["resourceVersion"] = fmt.Sprint(s.version)
		s.objects[r.URL.Path] = applied
		if exists {
			answer(w, 200, applied)
		} else {
			answer(w, 201, applied)
		}
	case r.Method == http.MethodGet && exists:
		answer(w, 200, found)
	default:
		answer(w, 404, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
			"message": "configmaps \"" + parts[6] + "\" not found", "code": 404,
			"details": object{"name": parts[6], "kind": "configmaps"}})
	}
}

func answer(w http.ResponseWriter, status int, body object) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}

// mint makes a CA and a server certificate for 127.0.0.1, good for a day.
func mint() (caPEM []byte, identity tls.Certificate) {
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER := must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "bench server"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	leafDER := must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))
	caPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return caPEM, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: key}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func listen() (net.Listener, int) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	return listener, listener.Addr().(*net.TCPAddr).Port
}

func main() {
	count := flag.Int("count", 1000, "how many servers live")
	dead := flag.Int("dead", 0, "how many more are dead")
	latency := flag.Duration("latency", 20*time.Millisecond, "before every answer")
	flag.Parse()

	caPEM, identity := mint()
	quiet := log.New(io.Discard, "", 0) // clients that go without a goodbye are no news
	var ports, deadPorts []int
	for range *count {
		listener, port := listen()
		server := &http.Server{Handler: &apiServer{latency: *latency, objects: map[string]object{}},
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{identity}}, ErrorLog: quiet}
		go func() { log.Fatal(server.ServeTLS(listener, "", "")) }()
		ports = append(ports, port)
	}
	for range *dead {
		listener, port := listen()
		defer listener.Close()
		deadPorts = append(deadPorts, port)
	}
	if err := json.NewEncoder(os.Stdout).Encode(object{"ca": string(caPEM), "ports": ports, "dead": deadPorts}); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
