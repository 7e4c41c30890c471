// Judges chains as istiod does: Go's crypto/x509. Reads cases as JSON lines, answers verdicts as JSON
// lines; see ../README.md for both.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

type testCase struct {
	ID      string   `json:"id"`
	Chain   [][]byte `json:"chain"`
	Roots   [][]byte `json:"roots"`
	At      int64    `json:"at"`
	Purpose string   `json:"purpose"`
	DNS     string   `json:"dns"`
	IP      string   `json:"ip"`
}

type verdict struct {
	ID       string `json:"id"`
	Accepted bool   `json:"accepted"`
	Reason   string `json:"reason"`
}

var usages = map[string]x509.ExtKeyUsage{
	"server": x509.ExtKeyUsageServerAuth,
	"client": x509.ExtKeyUsageClientAuth,
	"any":    x509.ExtKeyUsageAny,
}

// As crypto/tls: a certificate of the peer's that does not parse ends the handshake, and as
// AppendCertsFromPEM: a root that does not parse is skipped.
func judge(c testCase) error {
	if len(c.Chain) == 0 {
		return errors.New("there is no certificate to judge")
	}
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		return err
	}
	options := x509.VerifyOptions{
		Roots:         x509.NewCertPool(),
		Intermediates: x509.NewCertPool(),
		CurrentTime:   time.Unix(c.At, 0),
		KeyUsages:     []x509.ExtKeyUsage{usages[c.Purpose]},
		DNSName:       c.DNS,
	}
	if c.IP != "" {
		options.DNSName = "[" + c.IP + "]"
	}
	for _, der := range c.Chain[1:] {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		options.Intermediates.AddCert(certificate)
	}
	for _, der := range c.Roots {
		if certificate, err := x509.ParseCertificate(der); err == nil {
			options.Roots.AddCert(certificate)
		}
	}
	_, err = leaf.Verify(options)
	return err
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	for input.Scan() {
		var c testCase
		if err := json.Unmarshal(input.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer := verdict{ID: c.ID, Accepted: true}
		if err := judge(c); err != nil {
			answer.Accepted, answer.Reason = false, err.Error()
		}
		line, _ := json.Marshal(answer)
		fmt.Fprintln(output, string(line))
	}
	if err := input.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
