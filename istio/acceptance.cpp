#include "istio/acceptance.h"

#include "base/text.h"
#include "istio/names.h"
#include "pki/key.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::istio {
namespace {

using base::Instant;
using pki::Certificate;
using pki::Severity;

/// Collects what is wrong; one instance judges one bundle.
class Judge {
 public:
  explicit Judge(const BundleQuestion& question) : question_(question) {}

  BundleVerdict judge() {
    auto parsed = parse_bundle(question_.bundle);
    if (!parsed) {
      stop("unreadable-file", parsed.error().message);
      return std::move(verdict_);
    }
    verdict_.parsed = std::move(*parsed);
    judge_files();
    judge_signing_certificate();
    judge_key();
    judge_chain();
    judge_times();
    return std::move(verdict_);
  }

 private:
  const ParsedBundle& parsed() const { return *verdict_.parsed; }

  void stop(std::string code, std::string message) {
    verdict_.outcome = LoadOutcome::kRefusesToStart;
    verdict_.problems.push_back({.code = std::move(code),
                                 .severity = Severity::kError,
                                 .stops_istiod = true,
                                 .message = std::move(message)});
  }

  void report(Severity severity, std::string code, std::string message) {
    verdict_.problems.push_back(
        {.code = std::move(code), .severity = severity, .message = std::move(message)});
  }

  void judge_files() {
    const auto ends_in_newline = [this](std::string_view name, std::string_view pem) {
      if (pem.ends_with('\n')) return;
      report(Severity::kWarning, "no-final-newline",
             fmt::format("{} does not end in a newline", name));
    };
    ends_in_newline(kCaCertFile, question_.bundle.ca_cert);
    ends_in_newline(kCertChainFile, question_.bundle.cert_chain);
    ends_in_newline(kRootCertFile, question_.bundle.root_cert);
  }

  void judge_signing_certificate() {
    const auto& facts = parsed().ca_cert.facts();
    if (!parsed().ca_cert.is_ca()) {
      stop("not-a-ca", fmt::format("{}: '{}' is not a CA certificate (basicConstraints CA:TRUE)",
                                   kCaCertFile, facts.subject));
    }
    if (!facts.extended_key_usage.empty()) {
      report(Severity::kError, "extended-key-usage",
             fmt::format("{}: carries an extended key usage, which limits what it may sign; "
                         "wanted none",
                         kCaCertFile));
    }
    if (facts.has_name_constraints) {
      report(Severity::kError, "name-constraints",
             fmt::format("{}: carries name constraints, under which ztunnel refuses every workload",
                         kCaCertFile));
    }
    if (!facts.key_usage || !facts.key_usage->has("keyCertSign")) {
      report(Severity::kError, "no-key-cert-sign",
             fmt::format("{}: key usage lacks keyCertSign: istiod loads it, Envoy refuses what it "
                         "signs",
                         kCaCertFile));
    }
    if (!facts.subject_key_id) {
      report(Severity::kWarning, "no-subject-key-id",
             fmt::format("{}: has no subject key identifier", kCaCertFile));
    }
  }

  void judge_key() {
    switch (question_.key) {
      case KeyMatch::kOther:
        stop("key-of-another-certificate",
             fmt::format("{} does not belong to {}", kCaKeyFile, kCaCertFile));
        return;
      case KeyMatch::kUnreadable:
        stop("unreadable-key",
             fmt::format("{} is not one clear-text RSA or ECDSA private key in PEM", kCaKeyFile));
        return;
      case KeyMatch::kMatches:
      case KeyMatch::kNotLookedAt:
        return;
    }
  }

  void judge_chain() {
    const auto& chain = parsed().cert_chain;
    if (chain.front() != parsed().ca_cert) {
      report(Severity::kError, "chain-does-not-begin-with-ca-cert",
             fmt::format("{} begins with '{}', wanted the certificate in {} ('{}'): istiod loads "
                         "it, and every new workload certificate is unverifiable",
                         kCertChainFile, chain.front().facts().subject, kCaCertFile,
                         parsed().ca_cert.facts().subject));
    }
    judge_path_lengths();
    pki::TrustQuestion trust{.chain = chain, .roots = parsed().roots, .at = question_.at};
    verdict_.chain_verdicts = pki::judge(trust);
    for (const pki::Verdict& one : verdict_.chain_verdicts) {
      if (one.accepted) continue;
      stop("chain-refused", fmt::format("{} under {}: {} says '{}'", kCertChainFile, kRootCertFile,
                                        one.judge, one.reason));
    }
  }

  /// The signing certificate is judged as the end of a path here, while in use it has workloads
  /// below it: whether every CA above leaves room for it has to be counted.
  void judge_path_lengths() {
    const auto& chain = parsed().cert_chain;
    for (std::size_t above = 1; above < chain.size(); ++above) {
      check_room(chain[above], above);
    }
    for (const Certificate& root : parsed().roots) {
      const bool issues = chain.back().facts().issuer_der == root.facts().subject_der;
      if (issues && chain.back() != root) check_room(root, chain.size());
    }
  }

  void check_room(const Certificate& authority, std::size_t authorities_below) {
    const auto& constraints = authority.facts().basic_constraints;
    if (!constraints || !constraints->path_length) return;
    if (*constraints->path_length >= static_cast<int>(authorities_below)) return;
    report(Severity::kError, "path-too-long",
           fmt::format("'{}' allows {} below it, found {}", authority.facts().subject,
                       base::count_of(static_cast<std::size_t>(*constraints->path_length), "CA"),
                       authorities_below));
  }

  void judge_times() {
    warn_soon(kCaCertFile, parsed().ca_cert);
    for (const Certificate& root : parsed().roots) {
      warn_soon(kRootCertFile, root);
    }
    const auto issuer =
        std::find_if(parsed().roots.begin(), parsed().roots.end(), [this](const auto& root) {
          return parsed().cert_chain.back().facts().issuer_der == root.facts().subject_der;
        });
    if (issuer == parsed().roots.end()) return;
    if (parsed().ca_cert.facts().not_after > issuer->facts().not_after) {
      report(Severity::kWarning, "outlives-its-root",
             fmt::format("{} is valid until {}, longer than its root ({})", kCaCertFile,
                         base::format_date(parsed().ca_cert.facts().not_after),
                         base::format_date(issuer->facts().not_after)));
    }
  }

  void warn_soon(std::string_view file, const Certificate& certificate) {
    const Instant end = certificate.facts().not_after;
    if (end <= question_.at || end - question_.at >= question_.warn_before) return;
    report(Severity::kWarning, "expires-soon",
           fmt::format("{}: '{}' expires {} ({})", file, certificate.facts().subject,
                       base::format_relative(end, question_.at), base::format_date(end)));
  }

  const BundleQuestion& question_;
  BundleVerdict verdict_;
};

}  // namespace

std::string_view name_of(LoadOutcome outcome) {
  return outcome == LoadOutcome::kLoads ? "loads" : "refuses to start";
}

bool BundleVerdict::is_good() const {
  return outcome == LoadOutcome::kLoads &&
         std::none_of(problems.begin(), problems.end(), [](const BundleProblem& problem) {
           return problem.severity == Severity::kError;
         });
}

BundleVerdict judge_bundle(const BundleQuestion& question) {
  return Judge(question).judge();
}

KeyMatch match_key(const base::Secret& pem, const std::string& ca_cert) {
  const auto key = pki::PrivateKey::from_pem(pem);
  if (!key) return KeyMatch::kUnreadable;
  const auto certificates = pki::certificates_from_pem(ca_cert);
  if (!certificates) return KeyMatch::kOther;
  const bool same = pki::key_id(key->public_key()) == certificates->front().facts().key_id;
  return same ? KeyMatch::kMatches : KeyMatch::kOther;
}

base::Status refuse_unless_good(const Bundle& bundle, base::Instant at) {
  const BundleVerdict verdict =
      judge_bundle({.bundle = bundle.certificates,
                    .key = match_key(bundle.ca_key, bundle.certificates.ca_cert),
                    .at = at});
  if (verdict.is_good()) return {};
  return base::fail(base::Code::kRefused,
                    "the new bundle is not sound: " + verdict.problems.front().message);
}

}  // namespace meshtrust::istio
