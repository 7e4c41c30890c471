#include "pki/verify.h"

#include <botan/certstor.h>
#include <botan/x509cert.h>
#include <botan/x509path.h>

#include <algorithm>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace meshtrust::pki {
namespace {

/// Bits of security that a signature must have; Botan rates RSA-2048 at 110. See the level that
/// OpenSSL is given: the two are to judge by the same bar.
constexpr std::size_t kMinimumStrength = 110;

Verdict refused(std::string reason) {
  return {.judge = "botan", .accepted = false, .reason = std::move(reason)};
}

/// Revocation is a question of its own: here nothing is fetched, and nothing missing is missed.
Botan::Path_Validation_Restrictions restrictions() {
  return Botan::Path_Validation_Restrictions(false, kMinimumStrength);
}

/// Botan's checks of a path that was not built by Botan. Only what it finds about the first
/// certificate counts (its dates, issuer, signature and constraints).
Botan::Path_Validation_Result judge_first(const std::vector<Certificate>& chain, base::Instant at) {
  std::vector<std::shared_ptr<const Botan::X509_Certificate>> path;
  path.reserve(chain.size());
  for (const Certificate& certificate : chain) {
    path.push_back(std::make_shared<const Botan::X509_Certificate>(certificate.der()));
  }
  auto findings = Botan::PKIX::check_chain(path, at, "", Botan::Usage_Type::UNSPECIFIED,
                                           kMinimumStrength, restrictions().trusted_hashes());
  findings.resize(1);
  path.resize(1);
  return {std::move(findings), std::move(path)};
}

/// Reading a self-signed certificate, Botan verifies its signature, and copies share what was read.
/// The roots of a thousand bundles are few, so they are kept.
Botan::X509_Certificate read_root(const Certificate& root) {
  constexpr std::size_t kMost = 64;
  static std::mutex mutex;
  static std::map<std::string, Botan::X509_Certificate> known;  // by fingerprint
  const std::lock_guard guard(mutex);
  if (const auto found = known.find(root.fingerprint()); found != known.end()) return found->second;
  if (known.size() >= kMost) known.clear();
  return known.emplace(root.fingerprint(), Botan::X509_Certificate(root.der())).first->second;
}

Botan::Path_Validation_Result judge_chain(const TrustQuestion& question) {
  std::vector<Botan::X509_Certificate> chain;
  chain.reserve(question.chain.size());
  for (const Certificate& certificate : question.chain) {
    chain.emplace_back(certificate.der());
  }
  Botan::Certificate_Store_In_Memory roots;
  for (const Certificate& root : question.roots) {
    roots.add_certificate(read_root(root));
  }
  return Botan::x509_path_validate(chain, restrictions(), roots, "", Botan::Usage_Type::UNSPECIFIED,
                                   question.at);
}

/// Botan calculates with keys of any size, and one of 65,536 bits keeps it busy for minutes.
bool has_huge_key(const Certificate& certificate) {
  constexpr std::string_view kRsa = "rsa-";
  constexpr std::size_t kMostDigits = 4;  // 8192 bits and what is near
  const std::string& type = certificate.facts().key_type;
  return type.starts_with(kRsa) && type.size() > kRsa.size() + kMostDigits;
}

/// The verdict on what `ask` finds out. Botan throws at what it cannot read.
template <class Ask>
Verdict verdict_of(Ask ask) {
  try {
    const Botan::Path_Validation_Result result = ask();
    if (!result.successful_validation()) return refused(result.result_string());
    return {.judge = "botan", .accepted = true, .reason = {}};
  } catch (const std::exception& error) {
    return refused(error.what());
  }
}

}  // namespace

Verdict judge_with_botan(const TrustQuestion& question) {
  if (question.chain.empty()) return refused("there is no certificate to judge");
  for (const auto* pool : {&question.chain, &question.roots}) {
    if (std::ranges::any_of(*pool, has_huge_key)) {
      return refused("a key is so large that nobody would wait for the answer");
    }
  }
  const Certificate& first = question.chain.front();
  const bool is_anchor = std::ranges::find(question.roots, first) != question.roots.end();
  return verdict_of([&question, &first, is_anchor] {
    // Botan builds no path from a self-signed certificate, trusted or not.
    if (is_anchor && first.is_self_signed()) return judge_first({first}, question.at);
    return judge_chain(question);
  });
}

Verdict judge_issuing_with_botan(const Certificate& certificate,
                                 const Certificate& issuer,
                                 base::Instant at) {
  return verdict_of([&certificate, &issuer, at] { return judge_first({certificate, issuer}, at); });
}

}  // namespace meshtrust::pki
