#include "pki/issue.h"

#include "pki/certificate_builder.h"
#include "pki/lint.h"
#include "pki/verify.h"

#include <algorithm>
#include <string_view>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

/// Everything that is wrong with the rehearsal as one refusal; warnings count, as there is no
/// reason to mint something that deserves one; notes do not.
base::Status refuse_findings(const LintSubject& rehearsal, std::string_view waived = {}) {
  std::vector<LintFinding> findings = lint(rehearsal);
  std::erase_if(findings, [waived](const auto& each) {
    return each.severity == Severity::kNote || each.rule == waived;
  });
  if (findings.empty()) return {};
  std::string message =
      "the certificate of '" + rehearsal.certificate.facts().subject + "' would break a rule";
  for (const LintFinding& finding : findings) {
    message += (&finding == &findings.front() ? ": " : "; ") + finding.message + " (" +
               finding.rule + ", " + finding.source + ")";
  }
  return fail(Code::kRefused, std::move(message));
}

base::Status check_is_key_of(const Certificate& issuer, const Signer& key) {
  if (key_id(key.public_key()) == issuer.facts().key_id) return {};
  return fail(Code::kRefused, "the signing key is not the key of '" + issuer.facts().subject + "'");
}

/// Botan's independent word, at the first second of validity (the lint has nested it in the
/// issuer's). The chain above an issuer that is no root is not known here.
Verdict ask_botan(const Certificate& issued, const Certificate& signer) {
  const base::Instant at = issued.facts().not_before;
  if (!signer.is_self_signed()) return judge_issuing_with_botan(issued, signer, at);
  return judge_with_botan({.chain = {issued}, .roots = {signer}, .at = at});
}

/// Signs what was linted, and lets nothing out that is not exactly that and verified twice.
base::Result<Certificate> sign_and_verify(const Certificate& rehearsal,
                                          const Certificate* issuer,
                                          const Signer& key) {
  const base::ByteView wanted = tbs_of(rehearsal);
  MESHTRUST_TRY(const base::Bytes signature, key.sign(wanted));
  MESHTRUST_TRY(Certificate issued, Certificate::from_der(with_signature(rehearsal, signature)));
  if (!std::ranges::equal(tbs_of(issued), wanted)) {
    return fail(Code::kRefused, "what was signed is not what was linted");
  }
  const Certificate& signer = issuer != nullptr ? *issuer : issued;
  if (!issued.is_signed_by(signer)) {
    return fail(Code::kRefused, "the new signature does not verify with the key of '" +
                                    signer.facts().subject + "'");
  }
  const Verdict verdict = ask_botan(issued, signer);
  if (!verdict.accepted) {
    return fail(Code::kRefused, "botan does not accept the new certificate of '" +
                                    issued.facts().subject + "': " + verdict.reason);
  }
  return issued;
}

}  // namespace

base::Result<Certificate> issue_root(const CaTemplate& wanted,
                                     const Signer& key,
                                     base::Random& random) {
  const CaContent content{.wanted = wanted,
                          .public_key = key.public_key(),
                          .path_length = std::nullopt,
                          .issuer = nullptr};
  MESHTRUST_TRY(const Certificate rehearsal, make_rehearsal(content, key.algorithm(), random));
  MESHTRUST_TRY_DO(
      refuse_findings({.certificate = rehearsal, .role = LintRole::kRoot, .issuer = nullptr}));
  return sign_and_verify(rehearsal, nullptr, key);
}

base::Result<Certificate> issue_intermediate(const CaTemplate& wanted,
                                             base::ByteView public_key,
                                             const Certificate& issuer,
                                             const Signer& issuer_key,
                                             base::Random& random) {
  MESHTRUST_TRY_DO(check_is_key_of(issuer, issuer_key));
  const CaContent content{.wanted = wanted,
                          .public_key = {public_key.begin(), public_key.end()},
                          .path_length = 0,
                          .issuer = &issuer};
  MESHTRUST_TRY(const Certificate rehearsal,
                make_rehearsal(content, issuer_key.algorithm(), random));
  MESHTRUST_TRY_DO(refuse_findings(
      {.certificate = rehearsal, .role = LintRole::kIntermediate, .issuer = &issuer}));
  return sign_and_verify(rehearsal, &issuer, issuer_key);
}

base::Result<Certificate> issue_bridge(const Validity& wanted,
                                       const Certificate& subject,
                                       const Certificate& issuer,
                                       const Signer& issuer_key,
                                       base::Random& random) {
  MESHTRUST_TRY_DO(check_is_key_of(issuer, issuer_key));
  const CaContent content{
      .wanted = {.subject = {}, .not_before = wanted.not_before, .not_after = wanted.not_after},
      .public_key = {},
      .path_length = std::nullopt,
      .issuer = &issuer,
      .twin = &subject};
  MESHTRUST_TRY(const Certificate rehearsal,
                make_rehearsal(content, issuer_key.algorithm(), random));
  // It is judged as what it is to those who trust `issuer`, an intermediate CA; but that of
  // clusters are below this one.
  MESHTRUST_TRY_DO(refuse_findings(
      {.certificate = rehearsal, .role = LintRole::kIntermediate, .issuer = &issuer},
      "intermediate-path-length"));
  return sign_and_verify(rehearsal, &issuer, issuer_key);
}

}  // namespace meshtrust::pki
