#include "istio/acceptance_parts.h"
#include "istio/lint.h"
#include "pki/chain.h"
#include "pki/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace meshtrust::istio {
namespace {

using pki::Certificate;
using pki::Severity;
using Problems = std::vector<BundleProblem>;

/// Rules about single certificates that are policy: whoever accepts what breaks them is no reason
/// to go on with it.
constexpr std::array<std::string_view, 4> kPolicies = {"sample-key", "key-type", "key-rsa-exponent",
                                                       "signature-hash"};

/// Whose word on workloads goes by which name in `Rule::refused_by`.
struct JudgeName {
  std::string_view judge;
  std::string_view name;
};
constexpr std::array kJudgeNames = {JudgeName{"openssl", "OpenSSL"}, JudgeName{"go", "Go"},
                                    JudgeName{"boringssl", "Envoy"},
                                    JudgeName{"webpki", "ztunnel"}};

bool names_who_refuses(const pki::Rule& rule, std::span<const pki::Verdict> said) {
  return std::ranges::any_of(said, [&rule](const pki::Verdict& verdict) {
    const auto name = std::ranges::find(kJudgeNames, verdict.judge, &JudgeName::judge);
    return !verdict.accepted && name != kJudgeNames.end() &&
           rule.refused_by.find(name->name) != std::string_view::npos;
  });
}

bool has_both_purposes(const Certificate& certificate) {
  const auto& usage = certificate.facts().extended_key_usage;
  return std::ranges::find(usage, "serverAuth") != usage.end() &&
         std::ranges::find(usage, "clientAuth") != usage.end();
}

bool is_signed_with_pss(const Certificate& certificate) {
  return certificate.facts().signature_algorithm == "rsassaPss";
}

/// What a rule forbids for what it might do elsewhere, and what works everywhere in a mesh.
bool is_harmless_form(std::string_view rule, const Certificate& certificate) {
  return (rule == "no-extended-key-usage" && has_both_purposes(certificate)) ||
         (rule == "signature-hash" && is_signed_with_pss(certificate));
}

BundleProblem problem_of(const pki::LintFinding& finding,
                         std::string_view file,
                         const Certificate& certificate,
                         std::span<const pki::Verdict> said) {
  BundleProblem problem = problem_in_use(
      finding.rule, fmt::format("{}: '{}': {}", file, certificate.facts().subject, finding.message),
      said);
  const bool is_harmless = is_harmless_form(finding.rule, certificate);
  if (!is_harmless && std::ranges::find(kPolicies, finding.rule) != kPolicies.end()) {
    problem.is_unsafe = true;
    problem.severity = Severity::kError;
  }
  if (is_harmless && problem.is_advice()) problem.severity = Severity::kNote;
  return problem;
}

}  // namespace

BundleProblem bundle_problem(std::string_view code, std::string message, bool stops_istiod) {
  const pki::Rule* rule = find_rule(code);
  MESHTRUST_CHECK(rule != nullptr);
  return {.code = std::string(code),
          .severity = stops_istiod ? Severity::kError : rule->severity,
          .stops_istiod = stops_istiod,
          .is_unsafe = !stops_istiod && rule->severity == Severity::kError,
          .message = std::move(message)};
}

void report(Problems& problems, std::string_view code, std::string message) {
  problems.push_back(bundle_problem(code, std::move(message), false));
}

bool holds(const std::vector<Certificate>& certificates, const Certificate& one) {
  return std::ranges::find(certificates, one) != certificates.end();
}

BundleProblem problem_in_use(std::string_view code,
                             std::string message,
                             std::span<const pki::Verdict> said) {
  BundleProblem problem = bundle_problem(code, std::move(message), false);
  problem.breaks_workloads = names_who_refuses(*find_rule(code), said);
  problem.is_unsafe = false;
  problem.severity =
      problem.breaks_workloads ? Severity::kError : std::min(problem.severity, Severity::kWarning);
  return problem;
}

const Certificate* issuer_in(const ParsedBundle& bundle, const Certificate& certificate) {
  const Certificate* found = pki::find_issuer(certificate, bundle.cert_chain);
  if (found != nullptr && !pki::names_another_serial(certificate, *found)) return found;
  const Certificate* root = pki::find_issuer(certificate, bundle.roots);
  return root != nullptr ? root : found;
}

/// Dates and CA:TRUE are asked about elsewhere, in the words of this room.
Problems problems_of_certificates(const JudgedBundle& bundle) {
  Problems problems;
  std::set<std::string> seen;
  const auto look = [&](std::string_view file, const Certificate& certificate) {
    if (!seen.insert(certificate.fingerprint()).second) return;
    const bool is_root = certificate.is_self_signed();
    const Certificate* issuer = is_root ? nullptr : issuer_in(bundle.certificates, certificate);
    for (const pki::LintFinding& finding :
         pki::lint({.certificate = certificate,
         .role = is_root ? pki::LintRole::kRoot : pki::LintRole::kIntermediate,
         .issuer = issuer})) {
      // A name that repeats is what a refusal by Envoy or OpenSSL is explained with.
      if (finding.severity != Severity::kError && finding.rule != "subject-distinct") continue;
      if (finding.rule.starts_with("basic-constraints-")) continue;
      problems.push_back(problem_of(finding, file, certificate, bundle.said));
    }
  };
  look(bundle.files().ca_cert, bundle.certificates.ca_cert);
  for (const Certificate& one : bundle.certificates.cert_chain) {
    look(bundle.files().cert_chain, one);
  }
  for (const Certificate& one : bundle.certificates.roots) {
    look(bundle.files().root_cert, one);
  }
  return problems;
}

}  // namespace meshtrust::istio
