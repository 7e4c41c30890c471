#include "pki/issue_list.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/lint.h"
#include "pki/list_botan.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/rehearsal.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using base::Status;
using Revoked = Handle<X509_REVOKED, X509_REVOKED_free>;

base::Error cannot_encode(std::string_view what) {
  return openssl_error(Code::kInternal, "encoding the " + std::string(what));
}

Time encoded_time(base::Instant instant) {
  return Time(ASN1_TIME_set(nullptr, instant.time_since_epoch().count()));
}

/// RFC 5280 5.3.1: "unspecified" is said by saying nothing.
constexpr std::array<std::pair<std::string_view, long>, 7> kReasons = {{{"keyCompromise", 1},
                                                                        {"cACompromise", 2},
                                                                        {"affiliationChanged", 3},
                                                                        {"superseded", 4},
                                                                        {"cessationOfOperation", 5},
                                                                        {"certificateHold", 6},
                                                                        {"privilegeWithdrawn", 9}}};

Status add_entry(X509_CRL* list, const RevokedCertificate& wanted) {
  Revoked entry(X509_REVOKED_new());
  BIGNUM* number = nullptr;
  if (BN_hex2bn(&number, wanted.serial.c_str()) <= 0) return fail(cannot_encode("serial"));
  const BigNumber owner(number);
  const Integer serial(BN_to_ASN1_INTEGER(number, nullptr));
  const Time at = encoded_time(wanted.at);
  if (!serial || !at || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), at.get()) != 1) {
    return fail(cannot_encode("entry"));
  }
  const auto* const reason =
      std::ranges::find(kReasons, wanted.reason, [](const auto& each) { return each.first; });
  if (reason != kReasons.end()) {
    const Enumerated value(ASN1_ENUMERATED_new());
    ASN1_ENUMERATED_set(value.get(), reason->second);
    X509_REVOKED_add1_ext_i2d(entry.get(), NID_crl_reason, value.get(), 0, 0);
  }
  if (X509_CRL_add0_revoked(list, entry.get()) != 1) return fail(cannot_encode("entry"));
  (void)entry.release();  // the list owns it now
  return {};
}

/// RFC 5280 5.2.3: not negative, and at most 20 octets, of which one bit is the sign's.
Status add_number(X509_CRL* list, const std::string& wanted) {
  constexpr int kMostBits = 20 * 8 - 1;
  BIGNUM* parsed = nullptr;
  const int digits = BN_hex2bn(&parsed, wanted.c_str());
  const BigNumber owner(parsed);
  if (digits <= 0 || static_cast<std::size_t>(digits) != wanted.size() ||
      BN_is_negative(parsed) != 0 || BN_num_bits(parsed) > kMostBits) {
    return fail(
        Code::kRefused,
        "'" + wanted + "' is no number for a list, wanted hexadecimal of at most 20 octets");
  }
  const Integer number(BN_to_ASN1_INTEGER(parsed, nullptr));
  if (!number || X509_CRL_add1_ext_i2d(list, NID_crl_number, number.get(), 0, 0) != 1) {
    return fail(cannot_encode("number"));
  }
  return {};
}

Status add_extensions(X509_CRL* list, const std::string& wanted, const Certificate& issuer) {
  MESHTRUST_TRY_DO(add_number(list, wanted));
  if (!issuer.facts().subject_key_id) {
    return fail(Code::kRefused, "'" + issuer.facts().subject +
                                    "' has no subject key identifier, which its list must name");
  }
  MESHTRUST_TRY(const base::Bytes id, base::from_hex(*issuer.facts().subject_key_id));
  const AuthorityKeyId above(AUTHORITY_KEYID_new());
  above->keyid = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(above->keyid, id.data(), static_cast<int>(id.size()));
  if (X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, above.get(), 0, 0) != 1) {
    return fail(cannot_encode("key identifier"));
  }
  return {};
}

base::Result<RevocationList> rehearse(const ListTemplate& wanted,
                                      const Certificate& issuer,
                                      KeyAlgorithm algorithm) {
  const RevocationListHandle list(X509_CRL_new());
  const Time from = encoded_time(wanted.this_update);
  const Time until = encoded_time(wanted.next_update);
  if (!list || !from || !until || X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(x509_of(issuer))) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), from.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), until.get()) != 1) {
    return fail(cannot_encode("revocation list"));
  }
  MESHTRUST_TRY_DO(add_extensions(list.get(), wanted.number, issuer));
  for (const RevokedCertificate& each : wanted.revoked) {
    MESHTRUST_TRY_DO(add_entry(list.get(), each));
  }
  MESHTRUST_TRY(const Pkey key, worthless_key(algorithm));
  if (X509_CRL_sign(list.get(), key.get(), digest_for(algorithm)) <= 0) {
    return fail(openssl_error(Code::kInternal, "signing a rehearsal"));
  }
  return RevocationList::from_der(to_der(i2d_X509_CRL, static_cast<const X509_CRL*>(list.get())));
}

Status refuse_findings(const RevocationList& list, const Certificate& issuer) {
  for (const LintFinding& finding : lint({.list = list, .issuer = &issuer})) {
    // The worthless signature is what a rehearsal is for.
    if (finding.severity == Severity::kNote || finding.rule == "crl-signature") continue;
    return fail(Code::kRefused, "the list of '" + issuer.facts().subject +
                                    "' would break a rule: " + finding.message + " (" +
                                    finding.rule + ", " + finding.source + ")");
  }
  return {};
}

}  // namespace

base::Result<RevocationList> issue_list(const ListTemplate& wanted,
                                        const Certificate& issuer,
                                        const Signer& key) {
  if (key_id(key.public_key()) != issuer.facts().key_id) {
    return fail(Code::kRefused,
                "the signing key is not the key of '" + issuer.facts().subject + "'");
  }
  if (wanted.next_update <= wanted.this_update) {
    return fail(Code::kRefused, "the list of '" + issuer.facts().subject + "' would end at " +
                                    base::format_rfc3339(wanted.next_update) +
                                    ", wanted later than its begin " +
                                    base::format_rfc3339(wanted.this_update));
  }
  MESHTRUST_TRY(const RevocationList rehearsal, rehearse(wanted, issuer, key.algorithm()));
  MESHTRUST_TRY_DO(refuse_findings(rehearsal, issuer));
  const base::ByteView content = signed_part(rehearsal.der());
  MESHTRUST_TRY(const base::Bytes signature, key.sign(content));
  MESHTRUST_TRY(RevocationList issued,
                RevocationList::from_der(with_signature(rehearsal.der(), signature)));
  if (!std::ranges::equal(signed_part(issued.der()), content)) {
    return fail(Code::kRefused, "what was signed is not what was linted");
  }
  if (!issued.is_of(issuer) || !is_accepted_by_botan(issued, issuer)) {
    return fail(Code::kRefused,
                "the new list does not verify with the key of '" + issuer.facts().subject + "'");
  }
  return issued;
}

}  // namespace meshtrust::pki
