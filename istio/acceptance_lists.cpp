#include "base/text.h"
#include "istio/acceptance_parts.h"
#include "istio/lint.h"
#include "istio/names.h"
#include "pki/chain.h"
#include "pki/lint.h"
#include "pki/revocation_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::istio {
namespace {

using pki::Certificate;
using pki::RevocationList;
using Problems = std::vector<BundleProblem>;

/// What Envoy refuses connections for by lists, where the rule `code` is an error.
BundleProblem list_problem(std::string_view code, std::string message) {
  BundleProblem problem = bundle_problem(code, std::move(message), false);
  problem.breaks_workloads = problem.severity == pki::Severity::kError;
  problem.is_unsafe = false;
  return problem;
}

Problems missing_lists(const ParsedBundle& bundle, const std::vector<RevocationList>& lists) {
  Problems problems;
  for (const Certificate& bare : pki::without_list(bundle.cert_chain, lists, std::nullopt)) {
    problems.push_back(bundle_problem("crl-missing",
                                      fmt::format("{} holds no list of '{}', which is in {}",
                                                  kCaCrlFile, bare.facts().subject, kCertChainFile),
                                      true));
  }
  for (const Certificate& bare : pki::without_list(bundle.roots, lists, std::nullopt)) {
    problems.push_back(list_problem(
        "crl-missing", fmt::format("{} holds no list of '{}', which Envoy looks up too", kCaCrlFile,
                                   bare.facts().subject)));
  }
  return problems;
}

const Certificate* issuer_of(const RevocationList& list, const ParsedBundle& bundle) {
  const Certificate* issuer = nullptr;
  for (const auto* authorities : {&bundle.cert_chain, &bundle.roots}) {
    for (const Certificate& one : *authorities) {
      if (list.is_of(one)) issuer = &one;
    }
  }
  return issuer;
}

Problems findings_about(const RevocationList& list, const ParsedBundle& bundle, base::Instant at) {
  Problems problems;
  for (const pki::LintFinding& finding :
       pki::lint({.list = list, .issuer = issuer_of(list, bundle), .at = at})) {
    problems.push_back(list_problem(
        finding.rule,
        fmt::format("{}: list of '{}': {}", kCaCrlFile, list.facts().issuer, finding.message)));
  }
  return problems;
}

/// Whether `list` is its issuer's word on `certificate`: lists that are not whole may speak of
/// other issuers' certificates, or take entries back.
bool revokes(const RevocationList& list,
             const Certificate& certificate,
             const Certificate& issuer) {
  if (list.facts().is_partial || list.facts().is_delta) return false;
  const auto& revoked = list.facts().revoked;
  const bool is_named = std::ranges::find(revoked, certificate.facts().serial,
                                          &pki::RevokedCertificate::serial) != revoked.end();
  return is_named && list.is_of(issuer);
}

/// The signing certificate and each CA of the chain against the list of whoever issued it.
Problems revoked_authorities(const ParsedBundle& bundle, const std::vector<RevocationList>& lists) {
  std::vector<Certificate> authorities = bundle.cert_chain;
  if (std::ranges::find(authorities, bundle.ca_cert) == authorities.end()) {
    authorities.insert(authorities.begin(), bundle.ca_cert);
  }
  Problems problems;
  for (const Certificate& one : authorities) {
    const Certificate* issuer = issuer_in(bundle, one);
    for (const RevocationList& list : lists) {
      if (issuer == nullptr || !revokes(list, one, *issuer)) continue;
      BundleProblem problem =
          list_problem("ca-revoked", fmt::format("{}: '{}' is on the list of '{}'", kCaCrlFile,
                                                 one.facts().subject, issuer->facts().subject));
      problem.is_unsafe = true;
      problems.push_back(std::move(problem));
    }
  }
  return problems;
}

}  // namespace

Problems problems_of_lists(const JudgedBundle& bundle) {
  const BundleQuestion& question = bundle.question;
  const ParsedBundle& certificates = bundle.certificates;
  const std::string& pem = question.bundle.ca_crl;
  if (base::trim(pem).empty()) return {};
  const bool is_tls = question.form == BundleForm::kTls;
  if (!behaviour_of(question.version).reads_crl || is_tls) {
    return {bundle_problem("crl-not-read",
                           fmt::format("{} is there, and istiod {}{} does not read it", kCaCrlFile,
                                       question.version.text(), is_tls ? " beside tls.crt" : ""),
                           false)};
  }
  const auto lists = pki::revocation_lists_from_pem(pem);
  if (!lists) {
    return {bundle_problem("unreadable-file",
                           fmt::format("{}: {}", kCaCrlFile, lists.error().message), true)};
  }
  Problems problems = missing_lists(certificates, *lists);
  const auto add = [&problems](Problems more) {
    std::ranges::move(more, std::back_inserter(problems));
  };
  for (const RevocationList& list : *lists) {
    add(findings_about(list, certificates, question.at));
  }
  add(revoked_authorities(certificates, *lists));
  return problems;
}

}  // namespace meshtrust::istio
