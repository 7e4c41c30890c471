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

/// Counts the ways up from a certificate by names alone, as Botan 2 walks all of them before it
/// looks at one.
class Ways {
 public:
  explicit Ways(const ChainQuestion& question) {
    for (const auto* pool : {&question.chain, &question.anchors}) {
      for (const PathCertificate& one : *pool) {
        if (known_.insert(one.facts().fingerprint).second) {
          named_.emplace(one.facts().subject.key(), &one);
        }
      }
    }
  }

  bool are_too_many(const PathCertificate& from) {
    walk(from);
    return steps_ > kMostSteps;
  }

 private:
  static constexpr std::size_t kMostSteps = 500;

  void walk(const PathCertificate& from) {
    if (++steps_ > kMostSteps || !on_the_way_.insert(from.facts().fingerprint).second) return;
    const auto [first, last] = named_.equal_range(from.facts().issuer.key());
    for (auto it = first; it != last && steps_ <= kMostSteps; ++it) {
      walk(*it->second);
    }
    on_the_way_.erase(from.facts().fingerprint);
  }

  std::multimap<std::string, const PathCertificate*> named_;
  std::set<std::string> known_;
  std::set<std::string> on_the_way_;
  std::size_t steps_ = 0;
};

/// Where walking all ways, comparing every name with every constraint, or calculating with a huge
/// key, could take longer than anybody waits, Botan is not asked.
bool is_too_much(const ChainQuestion& question) {
  constexpr std::size_t kMostComparisons = 1U << 16U;
  constexpr int kMostBits = 8192;
  std::size_t names = 0;
  std::size_t constraints = 0;
  for (const auto* pool : {&question.chain, &question.anchors}) {
    for (const PathCertificate& one : *pool) {
      if (one.facts().key.bits > kMostBits) return true;
      names += one.facts().alternative_names.size();
      if (!one.facts().constraints) continue;
      constraints += one.facts().constraints->permitted.size();
      constraints += one.facts().constraints->excluded.size();
    }
  }
  return names * constraints > kMostComparisons ||
         Ways(question).are_too_many(question.chain.front());
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
