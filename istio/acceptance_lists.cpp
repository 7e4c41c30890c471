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

Problems missing_lists(const ParsedBundle& bundle, const std::vector<RevocationList>& lists) {
  Problems problems;
  for (const Certificate& bare : pki::without_list(bundle.cert_chain, lists, std::nullopt)) {
    problems.push_back(bundle_problem("crl-missing",
                                      fmt::format("{} holds no list of '{}', which is in {}",
                                                  kCaCrlFile, bare.facts().subject, kCertChainFile),
                                      true));
  }
  for (const Certificate& bare : pki::without_list(bundle.roots, lists, std::nullopt)) {
    problems.push_back(
        bundle_problem("crl-missing",
                       fmt::format("{} holds no list of '{}', which Envoy looks up too", kCaCrlFile,
                                   bare.facts().subject),
                       false));
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
    problems.push_back(bundle_problem(
        finding.rule,
        fmt::format("{}: list of '{}': {}", kCaCrlFile, list.facts().issuer, finding.message),
        false));
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
      problems.push_back(bundle_problem("ca-revoked",
                                        fmt::format("{}: '{}' is on the list of '{}'", kCaCrlFile,
                                                    one.facts().subject, issuer->facts().subject),
                                        false));
    }
  }
  return problems;
}

}  // namespace

BundleProblem bundle_problem(std::string_view code, std::string message, bool stops_istiod) {
  const pki::Rule* rule = find_rule(code);
  MESHTRUST_CHECK(rule != nullptr);
  return {.code = std::string(code),
          .severity = stops_istiod ? pki::Severity::kError : rule->severity,
          .stops_istiod = stops_istiod,
          .message = std::move(message)};
}

const Certificate* issuer_in(const ParsedBundle& bundle, const Certificate& certificate) {
  const Certificate* found = pki::find_issuer(certificate, bundle.cert_chain);
  return found != nullptr ? found : pki::find_issuer(certificate, bundle.roots);
}

Problems problems_of_lists(const BundleQuestion& question, const ParsedBundle& bundle) {
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
  Problems problems = missing_lists(bundle, *lists);
  const auto add = [&problems](Problems more) {
    std::ranges::move(more, std::back_inserter(problems));
  };
  for (const RevocationList& list : *lists) {
    add(findings_about(list, bundle, question.at));
  }
  add(revoked_authorities(bundle, *lists));
  return problems;
}

}  // namespace meshtrust::istio
