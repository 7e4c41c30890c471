#include "istio/lint.h"

#include "pki/lint.h"

#include <algorithm>
#include <array>
#include <vector>

namespace meshtrust::istio {
namespace {

using pki::kBundles;
using pki::Rule;
using pki::Severity;

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

/// In the order in which istiod would look.
constexpr std::array kBundleRules = {
    Rule{"incomplete-bundle", kError, kBundles, "istiod: bundle detection",
         "all four files are there, or none", "istiod",
         "From 1.26.1 on istiod exits ('incomplete signing CA bundle detected'). Older ones start "
         "with a CA of their own when the key is missing: every workload is then in another mesh."},
    Rule{"no-bundle", kError, kBundles, "istiod: bundle detection", "there is a bundle", "",
         "istiod makes a CA for itself, which no other cluster trusts, and says so in one line of "
         "its log. A cacerts that comes later is not looked at before a restart."},
    Rule{"unreadable-file", kError, kBundles, "istiod: loading cacerts",
         "every file holds certificates that can be read", "istiod",
         "At start it exits; a running one keeps what it has until its next restart."},
    Rule{"private-key-among-certificates", kError, kBundles,
         "istiod: what it hands to workloads and namespaces",
         "no private key stands in a file of certificates", "ztunnel, in the chain file",
         "istiod sends every block of cert-chain.pem to each workload and publishes root-cert.pem "
         "in every namespace, so the key has to be replaced: taking the block out does not bring "
         "it back. A block in root-cert.pem that is no certificate also stops istiod at its next "
         "start, and one that comes first in any of the files too."},
    Rule{
        "foreign-block", kError, kBundles, "istiod: loading cacerts, and what workloads present",
        "the certificate files hold blocks of 'CERTIFICATE' alone", "istiod at start, or ztunnel",
        "Requests, PKCS#7, revocation lists, 'TRUSTED CERTIFICATE' and 'X509 CERTIFICATE': OpenSSL "
        "reads some of them, Go does not. In root-cert.pem, and first in the others, istiod stops "
        "at them; the rest of cert-chain.pem goes to every workload, where ztunnel refuses it."},
    Rule{
        "foreign-block-passed-over", kWarning, kBundles, "istiod: loading cacerts",
        "the certificate files hold blocks of 'CERTIFICATE' alone", "",
        "istiod reads the first block of ca-cert.pem and no other, and takes no 'X509 CERTIFICATE' "
        "for a root. Take the block out, or make it a 'CERTIFICATE' (openssl x509)."},
    Rule{"hidden-block", kWarning, kBundles, "Go encoding/pem, BoringSSL",
         "every block begins its line", "",
         "A byte order mark, an indentation or a missing newline before '-----BEGIN' hides the "
         "block from Go and BoringSSL, while OpenSSL 3 and editors show it. What is hidden is not "
         "there: a root that nobody trusts, a chain without its first certificate."},
    Rule{"no-final-newline", kWarning, kBundles, "PEM, RFC 7468 2", "every file ends in a newline",
         "",
         "Files are joined as they are. In the form with tls.crt the certificate after the join is "
         "lost."},
    Rule{"ca-cert-not-alone", kWarning, kBundles, "istiod: loading cacerts",
         "the signing certificate stands alone in its file", "",
         "istiod reads the first certificate and passes over the others without a word."},
    Rule{"not-a-ca", kError, kBundles, "istiod: loading cacerts", "the signing certificate is a CA",
         "istiod at start; every peer after a reload",
         "istiod exits at start ('certificate is not authorized to sign other certificates'), but "
         "takes it on a reload."},
    Rule{"usage-stops-istiod", kError, kBundles, "Go crypto/x509: default key usages",
         "no extended key usage in the path leaves out serverAuth", "istiod",
         "istiod verifies its own CA as Go verifies a server ('incompatible key usage')."},
    Rule{"unreadable-key", kError, kBundles, "istiod: loading cacerts",
         "the key file begins with one clear-text private key", "istiod",
         "One block of 'PRIVATE KEY', 'RSA PRIVATE KEY' or 'EC PRIVATE KEY', first in the file: "
         "no 'EC PARAMETERS' before it, no passphrase."},
    Rule{"key-of-another-certificate", kError, kBundles, "istiod: loading cacerts",
         "the key belongs to the signing certificate", "istiod",
         "It exits at start ('the cert does not match the key')."},
    Rule{"chain-empty", kError, kBundles, "Istio: what workloads present",
         "the chain file holds the signing certificate", "Go, Envoy, ztunnel, OpenSSL",
         "istiod starts, workloads present nothing between themselves and the root, and only who "
         "trusts the signing certificate itself accepts them."},
    Rule{"chain-does-not-begin-with-ca-cert", kError, kBundles, "Istio: what workloads present",
         "the chain file holds the signing certificate", "Go, Envoy, ztunnel, OpenSSL",
         "istiod never checks this. From then on no new certificate can be verified by anybody, "
         "and agents cannot reconnect to istiod itself."},
    Rule{"chain-order", kWarning, kBundles, "RFC 5246 7.4.2",
         "the chain file begins with the signing certificate, and issuers follow what they issued",
         "strict TLS 1.2 stacks",
         "Go, Envoy, ztunnel and OpenSSL take any order. istiod goes by the first certificate of "
         "the file when it cuts the life of workloads and tells when its CA ends."},
    Rule{"root-before-bridge", kError, kBundles, "OpenSSL and BoringSSL: no second candidate",
         "no self-signed root stands before a bridge of the same name", "Envoy, OpenSSL",
         "They take the first certificate of that name and never go back, so peers that trust only "
         "the older root refuse. Leave the new root out of the chain file."},
    Rule{"chain-holds-expired", kWarning, kBundles, "BoringSSL: no second candidate",
         "no certificate of the chain file has ended", "Envoy",
         "An ended bridge before a good one breaks Envoy: replace it, do not append."},
    Rule{"path-too-long", kError, kBundles, "RFC 5280 4.2.1.9",
         "every CA leaves room for those below it, the workload counted",
         "Go, OpenSSL; Envoy and ztunnel but for roots",
         "istiod's own check at load takes the signing certificate for the end of the path, and so "
         "counts one too few."},
    Rule{"chain-too-long", kError, kBundles, "rustls-webpki",
         "at most six CAs stand between a workload and its root", "ztunnel",
         "ztunnel's verifier gives up at the seventh, whatever path lengths allow."},
    Rule{"chain-refused", kError, kBundles, "RFC 5280 6.1",
         "the chain leads to a root of the bundle", "istiod",
         "It exits at start ('cannot verify the cert with the provided root chain')."},
    Rule{"own-path-verdict", kWarning, kBundles, "RFC 5280 6.1, and stated policy",
         "meshtrust's own judge of paths accepts the signing certificate", "",
         "Everything that runs in a mesh accepts it, so it works. What others, or later versions, "
         "may refuse is better mended when the CA is renewed."},
    Rule{
        "anchor-is-no-root", kWarning, kBundles, "RFC 5280 6.1.1 (d)",
        "what the root file holds has signed itself", "OpenSSL without partial chains, Botan",
        "Go, Envoy and ztunnel take any certificate of the file for an anchor, and believe what is "
        "below it. Clusters whose files hold each its own intermediate do not trust each other."},
    Rule{"root-holds-expired", kWarning, kBundles, "mesh policy: roots that are over are taken out",
         "no root in the file has ended", "",
         "Nothing that works hangs on it. But every workload carries it in every handshake, and "
         "ztunnel still believes in a root that has ended."},
    Rule{"root-key-in-cluster", kWarning, kBundles, "mesh policy: the root's key stays offline",
         "the signing certificate is not the root itself", "",
         "Whoever can read the Secret has the key that every cluster trusts, and nothing but a new "
         "root takes it away again. Give each cluster an intermediate ('meshtrust ca issue')."},
    Rule{"equal-root-subjects", kWarning, kBundles, "OpenSSL and BoringSSL: no second candidate",
         "no two roots have one name", "Envoy, OpenSSL, without key identifiers",
         "Where key identifiers are missing, only chains of the root listed first verify, and the "
         "agent sorts the list, so which one that is is chance. Name roots by their generation."},
    Rule{
        "outlives-its-root", kWarning, kBundles, "mesh policy: validity nests in the issuer's",
        "the signing certificate ends before every CA above it", "",
        "When one of those ends, everything below it ends, whatever the signing certificate says."},
    Rule{"crl-not-read", kWarning, kBundles, "istiod: ca-crl.pem",
         "a revocation list is read by this version and form", "",
         "ca-crl.pem is read from 1.27 on, beside ca-cert.pem, and not beside tls.crt. Nothing is "
         "revoked."},
    Rule{"crl-missing", kError, kBundles, "istiod and Envoy: a list of every CA",
         "with ca-crl.pem there is a list of every CA of the bundle", "istiod, Envoy",
         "istiod refuses to start without one for each certificate of the chain file ('missing CRL "
         "signed by certificates'); Envoy wants one for the root as well and otherwise refuses "
         "every connection. Put in an empty list of each CA of every cluster."},
    Rule{"ca-revoked", kError, kBundles, "RFC 5280 6.3.3",
         "no CA of the bundle is on a revocation list", "Envoy, ztunnel",
         "Peers with this list refuse every workload of the cluster. Give the cluster a new CA, or "
         "take this one off the list: peers believe again what a newer list does not name."},
    Rule{"workloads-refused", kError, kBundles,
         "OpenSSL; Go, BoringSSL and rustls-webpki as modelled",
         "Go, Envoy, ztunnel and OpenSSL accept the workloads of this CA",
         "Go, Envoy, ztunnel, OpenSSL (by message)",
         "A workload was imagined as istiod would sign it, and each verifier asked about it as "
         "server and as client. 'meshtrust verify --chain' asks about one that exists."},
    Rule{"reload-ignored", kWarning, kBundles, "istiod: root changes on reload",
         "a running istiod takes the change without a restart", "istiod, until restarted",
         "The whole update is passed over, a new intermediate in it too, until a restart. Without "
         "ISTIO_MULTIROOT_MESH any change of root-cert.pem does this; with it, roots may be added "
         "or removed in one step, not both."},
    Rule{"waiver-expired",
         kWarning,
         {},
         "meshtrust lint --waivers",
         "no waiver has ended",
         "",
         "Somebody answered for a finding until a day that is over. Mend what it was about, or "
         "decide anew."},
    Rule{"waiver-unused",
         Severity::kNote,
         {},
         "meshtrust lint --waivers",
         "every waiver meets a finding",
         "",
         "What it was about is gone, or was not looked at: take the waiver out."},
};

std::vector<Rule> make_all() {
  std::vector<Rule> all(pki::lint_rules().begin(), pki::lint_rules().end());
  all.insert(all.end(), kBundleRules.begin(), kBundleRules.end());
  return all;
}

}  // namespace

std::span<const Rule> all_rules() {
  static const std::vector<Rule> all = make_all();
  return all;
}

const Rule* find_rule(std::string_view id) {
  const auto rules = all_rules();
  const auto found = std::ranges::find(rules, id, &Rule::id);
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace meshtrust::istio
