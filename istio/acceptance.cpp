#include "istio/acceptance.h"

#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "istio/names.h"
#include "istio/reload.h"
#include "pki/chain.h"
#include "pki/key.h"
#include "pki/lint.h"
#include "pki/path/imagined_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace meshtrust::istio {
namespace {

using pki::Certificate;
using pki::Severity;

/// Collects what is wrong; one instance judges one bundle.
class Judge {
 public:
  explicit Judge(const BundleQuestion& question) : question_(question) {}

  BundleVerdict judge() {
    if (!read_files()) return std::move(verdict_);
    judge_files();
    judge_signing_certificate();
    judge_by_lint();
    judge_key();
    judge_chain();
    add_all(problems_of_roots(question_, parsed()));
    add_all(problems_of_lists(question_, parsed()));
    judge_workloads();
    judge_reload();
    return std::move(verdict_);
  }

 private:
  const ParsedBundle& parsed() const { return *verdict_.parsed; }
  const std::vector<Certificate>& chain() const { return parsed().cert_chain; }
  const std::vector<Certificate>& roots() const { return parsed().roots; }

  void add(BundleProblem problem) {
    if (problem.stops_istiod) verdict_.outcome = LoadOutcome::kRefusesToStart;
    verdict_.problems.push_back(std::move(problem));
  }
  void add_all(std::vector<BundleProblem> problems) {
    std::ranges::for_each(problems, [this](BundleProblem& each) { add(std::move(each)); });
  }
  void report(std::string_view code, std::string message, bool stops = false) {
    add(bundle_problem(code, std::move(message), stops));
  }
  void stop(std::string_view code, std::string message) { report(code, std::move(message), true); }

  /// A chain file without a certificate is taken; what else cannot be read is not.
  bool read_files() {
    PublicBundle bundle = question_.bundle;
    const bool is_chain_empty = base::trim(bundle.cert_chain).empty();
    if (is_chain_empty) bundle.cert_chain = bundle.ca_cert;
    auto parsed = parse_bundle(bundle);
    if (!parsed) {
      stop("unreadable-file", parsed.error().message);
      return false;
    }
    verdict_.parsed = std::move(*parsed);
    if (is_chain_empty) verdict_.parsed->cert_chain.clear();
    return true;
  }

  void judge_files() {
    const auto ends_in_newline = [this](std::string_view name, std::string_view pem) {
      if (pem.empty() || pem.ends_with('\n')) return;
      report("no-final-newline", fmt::format("{} does not end in a newline", name));
    };
    ends_in_newline(kCaCertFile, question_.bundle.ca_cert);
    ends_in_newline(kCertChainFile, question_.bundle.cert_chain);
    ends_in_newline(kRootCertFile, question_.bundle.root_cert);
    const auto all = pki::certificates_from_pem(question_.bundle.ca_cert);
    if (question_.form == BundleForm::kPem && all && all->size() > 1) {
      report("ca-cert-not-alone",
             fmt::format("{} holds {}, of which istiod reads the first", kCaCertFile,
                         base::count_of(all->size(), "certificate")));
    }
  }

  void judge_signing_certificate() {
    const auto& facts = parsed().ca_cert.facts();
    if (!parsed().ca_cert.is_ca()) {
      stop("not-a-ca", fmt::format("{}: '{}' is not a CA certificate (basicConstraints CA:TRUE)",
                                   kCaCertFile, facts.subject));
    }
    const auto& usage = facts.extended_key_usage;
    const bool serves = std::ranges::find(usage, "serverAuth") != usage.end() ||
                        std::ranges::find(usage, "anyExtendedKeyUsage") != usage.end();
    if (!usage.empty() && !serves) {
      stop("usage-stops-istiod",
           fmt::format("{}: extended key usage is {}, wanted none, or serverAuth among them",
                       kCaCertFile, base::join(usage, ", ")));
    }
    if (!facts.subject_key_id) {
      report("subject-key-id-present",
             fmt::format("{}: has no subject key identifier", kCaCertFile));
    }
  }

  /// What some verifier of the mesh refuses about single certificates. Dates and CA:TRUE are asked
  /// about here anyway, in the words of this room.
  void judge_by_lint() {
    std::set<std::string> seen;
    const auto look = [&](std::string_view file, const Certificate& certificate) {
      if (!seen.insert(certificate.fingerprint()).second) return;
      const bool is_root = certificate.is_self_signed();
      const Certificate* issuer = is_root ? nullptr : issuer_in(parsed(), certificate);
      for (const pki::LintFinding& finding :
           pki::lint({.certificate = certificate,
           .role = is_root ? pki::LintRole::kRoot : pki::LintRole::kIntermediate,
           .issuer = issuer})) {
        if (finding.severity != Severity::kError) continue;
        if (finding.rule.starts_with("basic-constraints-")) continue;
        report(finding.rule,
               fmt::format("{}: '{}': {}", file, certificate.facts().subject, finding.message));
      }
    };
    look(kCaCertFile, parsed().ca_cert);
    for (const Certificate& one : chain()) {
      look(kCertChainFile, one);
    }
    for (const Certificate& one : roots()) {
      look(kRootCertFile, one);
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
             fmt::format("{} does not begin with a clear-text private key in PEM", kCaKeyFile));
        return;
      case KeyMatch::kMatches:
      case KeyMatch::kNotLookedAt:
        return;
    }
  }

  void judge_chain() {
    const bool is_anchor = std::ranges::find(roots(), parsed().ca_cert) != roots().end();
    if (chain().empty() && !is_anchor) {
      report("chain-empty",
             fmt::format("{} is empty, wanted the certificate in {} ('{}')", kCertChainFile,
                         kCaCertFile, parsed().ca_cert.facts().subject));
    } else if (!chain().empty() && chain().front() != parsed().ca_cert) {
      report("chain-does-not-begin-with-ca-cert",
             fmt::format("{} begins with '{}', wanted the certificate in {} ('{}'): istiod loads "
                         "it, and every new workload certificate is unverifiable",
                         kCertChainFile, chain().front().facts().subject, kCaCertFile,
                         parsed().ca_cert.facts().subject));
      refuse_unless_loaded();
    }
    add_all(problems_of_chain(question_, parsed()));
    std::vector<Certificate> shown = chain();
    if (shown.empty()) shown.push_back(parsed().ca_cert);
    verdict_.chain_verdicts = judge_path(kCertChainFile, std::move(shown));
  }

  bool has_error() const {
    return std::ranges::any_of(verdict_.problems, [](const BundleProblem& problem) {
      return problem.severity == Severity::kError;
    });
  }

  /// What we and OpenSSL say; and where Go refuses, istiod does not start. Our own words would
  /// often be those of the lint again, and Go's are needed where nobody else says anything.
  std::vector<pki::Verdict> judge_path(std::string_view file, std::vector<Certificate> path) {
    static constexpr std::array<std::string_view, 3> kJudges = {"meshtrust", "openssl", "go"};
    auto verdicts = pki::judge_authority(
        {.chain = std::move(path), .roots = roots(), .at = question_.at}, kJudges);
    const pki::Verdict go = verdicts.back();
    verdicts.pop_back();
    const auto refused = [&](const pki::Verdict& by) {
      report(
          "chain-refused",
          fmt::format("{} under {}: {} refuses it: {}", file, kRootCertFile, by.judge, by.reason),
          !go.accepted);
    };
    if (!go.accepted && pki::all_accept(verdicts)) refused(go);
    const bool is_told = go.accepted && has_error();
    for (const pki::Verdict& one : verdicts) {
      if (!one.accepted && !(is_told && one.judge == kJudges.front())) refused(one);
    }
    return verdicts;
  }

  /// What istiod verifies is the signing certificate, with the chain file as helpers.
  void refuse_unless_loaded() {
    std::vector<Certificate> path{parsed().ca_cert};
    path.insert(path.end(), chain().begin(), chain().end());
    judge_path(kCaCertFile, std::move(path));
  }

  /// What the other verifiers say of workloads; told where nothing else has told it already.
  void judge_workloads() {
    std::vector<Certificate> shown{parsed().ca_cert};
    shown.insert(shown.end(), chain().begin(), chain().end());
    const auto said = pki::judge_imagined_workload(
        {.chain = std::move(shown), .roots = roots(), .at = question_.at});
    const bool is_explained = has_error();
    for (const pki::Verdict& one : said) {
      verdict_.chain_verdicts.push_back(one);
      if (one.accepted || is_explained) continue;
      report("workloads-refused",
             fmt::format("a workload of '{}' is refused by {}: {}",
                         parsed().ca_cert.facts().subject, one.judge, one.reason));
    }
  }

  void judge_reload() {
    if (!question_.running) return;
    if (verdict_.outcome != LoadOutcome::kLoads) {
      verdict_.reload = LoadOutcome::kIgnoredUntilRestart;
      return;
    }
    const std::string objection =
        objection_to_reload({.loaded = question_.running->bundle.root_cert,
                             .wanted = question_.bundle.root_cert,
                             .rule = behaviour_of(question_.version).root_rule,
                             .multi_root = question_.running->multi_root});
    verdict_.reload = objection.empty() ? LoadOutcome::kLoads : LoadOutcome::kIgnoredUntilRestart;
    if (!objection.empty()) report("reload-ignored", objection);
  }

  const BundleQuestion& question_;
  BundleVerdict verdict_;
};

}  // namespace

std::string_view name_of(LoadOutcome outcome) {
  switch (outcome) {
    case LoadOutcome::kLoads:
      return "loads";
    case LoadOutcome::kRefusesToStart:
      return "refuses to start";
    case LoadOutcome::kSelfSigned:
      return "silently falls back to self-signed";
    case LoadOutcome::kIgnoredUntilRestart:
      break;
  }
  return "ignores until restart";
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

BundleVerdict judge_incomplete(const std::vector<std::string>& missing, const Version& version) {
  BundleVerdict verdict;
  const bool has_none = missing.size() == kCaFiles.size();
  const bool lacks_key = std::ranges::find(missing, kCaKeyFile) != missing.end() ||
                         std::ranges::find(missing, kTlsKeyFile) != missing.end();
  const bool falls_back = has_none || (!behaviour_of(version).refuses_incomplete && lacks_key);
  verdict.outcome = falls_back ? LoadOutcome::kSelfSigned : LoadOutcome::kRefusesToStart;
  verdict.problems.push_back(
      {.code = has_none ? "no-bundle" : "incomplete-bundle",
       .severity = Severity::kError,
       .stops_istiod = !falls_back,
       .message = has_none
                      ? "there is none of the files that istiod looks for"
                      : fmt::format("{} missing", base::join(missing, ", ") +
                                                      (missing.size() == 1 ? " is" : " are"))});
  return verdict;
}

KeyMatch match_key(const base::Secret& pem, const std::string& ca_cert) {
  const auto certificates = pki::certificates_from_pem(ca_cert);
  if (!certificates) return pki::public_key_of(pem) ? KeyMatch::kOther : KeyMatch::kUnreadable;
  const auto same = pki::is_for_key(certificates->front(), pem);
  if (!same) return KeyMatch::kUnreadable;
  return *same ? KeyMatch::kMatches : KeyMatch::kOther;
}

base::Status refuse_unless_good(const Bundle& bundle, base::Instant at) {
  const BundleVerdict verdict =
      judge_bundle({.bundle = bundle.certificates,
                    .key = match_key(bundle.ca_key, bundle.certificates.ca_cert),
                    .at = at});
  if (!verdict.is_good()) {
    return base::fail(base::Code::kRefused,
                      "the new bundle is not sound: " + verdict.problems.front().message);
  }
  const pki::Verdict botan = pki::judge_with_botan(
      {.chain = verdict.parsed->cert_chain, .roots = verdict.parsed->roots, .at = at});
  if (botan.accepted) return {};
  return base::fail(base::Code::kRefused,
                    "the new bundle is not sound: botan says '" + botan.reason + "'");
}

}  // namespace meshtrust::istio
