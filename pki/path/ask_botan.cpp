#include "pki/path/judge_chain.h"

#include <botan/certstor.h>
#include <botan/x509_crl.h>
#include <botan/x509cert.h>
#include <botan/x509path.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <set>

namespace meshtrust::pki {
namespace {

/// Bits of security that a signature must have; Botan rates RSA-2048 at 110.
constexpr std::size_t kMinimumStrength = 110;

ChainVerdict refused(std::string reason) {
  return {
      .judge = "botan", .accepted = false, .path = {}, .failures = {}, .reason = std::move(reason)};
}

/// Botan 2 lists every path before it looks at one, and compares every name with every constraint.
/// Where that could take longer than anybody waits, it is not asked.
bool is_too_much(const ChainQuestion& question) {
  constexpr std::size_t kMostPaths = 200;
  constexpr std::size_t kMostComparisons = 1U << 16U;
  std::map<std::string, std::size_t> subjects;
  std::set<std::string> seen;
  std::size_t names = 0;
  std::size_t constraints = 0;
  for (const auto* pool : {&question.chain, &question.anchors}) {
    for (const PathCertificate& one : *pool) {
      if (!seen.insert(one.facts().fingerprint).second) continue;
      ++subjects[one.facts().subject.key()];
      names += one.facts().alternative_names.size();
      if (!one.facts().constraints) continue;
      constraints += one.facts().constraints->permitted.size();
      constraints += one.facts().constraints->excluded.size();
    }
  }
  std::size_t paths = 1;
  for (const auto& [subject, count] : subjects) {
    paths = std::min(paths * count, kMostPaths + 1);
  }
  return paths > kMostPaths || names * constraints > kMostComparisons;
}

Botan::Usage_Type usage_of(Purpose purpose) {
  if (purpose == Purpose::kServer) return Botan::Usage_Type::TLS_SERVER_AUTH;
  if (purpose == Purpose::kClient) return Botan::Usage_Type::TLS_CLIENT_AUTH;
  return Botan::Usage_Type::UNSPECIFIED;
}

std::string host_of(const ChainQuestion& question) {
  if (!question.name) return {};
  if (question.name->form == NameForm::kDns) return question.name->value;
  return question.name->form == NameForm::kIp ? ip_text(question.name->value) : std::string();
}

Botan::Path_Validation_Result validate(const ChainQuestion& question) {
  std::vector<Botan::X509_Certificate> chain;
  chain.reserve(question.chain.size());
  for (const PathCertificate& one : question.chain) {
    chain.emplace_back(one.facts().der);
  }
  Botan::Certificate_Store_In_Memory roots;
  for (const PathCertificate& anchor : question.anchors) {
    roots.add_certificate(Botan::X509_Certificate(anchor.facts().der));
  }
  for (const PathCrl& crl : question.crls) {
    roots.add_crl(std::make_shared<const Botan::X509_CRL>(crl.facts().der));
  }
  const Botan::Path_Validation_Restrictions restrictions(question.asks_revocation,
                                                         kMinimumStrength);
  return Botan::x509_path_validate(chain, restrictions, roots, host_of(question),
                                   usage_of(question.purpose), question.at);
}

}  // namespace

ChainVerdict ask_botan(const ChainQuestion& question) {
  if (question.chain.empty()) return refused("there is no certificate to judge");
  if (is_too_much(question)) return refused("not asked: it would look at too many paths or names");
  try {
    const Botan::Path_Validation_Result result = validate(question);
    if (!result.successful_validation()) return refused(result.result_string());
    const std::size_t between = result.cert_path().size() < 2 ? 0 : result.cert_path().size() - 2;
    if (between > question.most_intermediates.value_or(between)) return refused("too deep");
    return {.judge = "botan", .accepted = true, .path = {}, .failures = {}, .reason = {}};
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

}  // namespace meshtrust::pki
