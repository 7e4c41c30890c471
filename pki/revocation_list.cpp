#include "pki/revocation_list.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"
#include "pki/pem.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

constexpr std::string_view kLabel = "X509 CRL";

/// RFC 5280 5.3.1; 7 is not used.
constexpr std::array<std::string_view, 11> kReasons = {
    "unspecified",   "keyCompromise",        "cACompromise",    "affiliationChanged",
    "superseded",    "cessationOfOperation", "certificateHold", "",
    "removeFromCRL", "privilegeWithdrawn",   "aACompromise"};

std::string reason_of(const X509_REVOKED* entry) {
  const Enumerated reason(static_cast<ASN1_ENUMERATED*>(
      X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, nullptr, nullptr)));
  if (!reason) return "";
  const long value = ASN1_ENUMERATED_get(reason.get());
  if (value < 0 || value >= static_cast<long>(kReasons.size())) return "";
  return std::string(kReasons.at(static_cast<std::size_t>(value)));
}

base::Status read_entries(X509_CRL* list, RevocationListFacts& facts) {
  const STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(list);
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
    const X509_REVOKED* entry = sk_X509_REVOKED_value(revoked, i);
    MESHTRUST_TRY(const base::Instant at, instant_of(X509_REVOKED_get0_revocationDate(entry)));
    facts.revoked.push_back({.serial = serial_text(X509_REVOKED_get0_serialNumber(entry)),
                             .at = at,
                             .reason = reason_of(entry)});
  }
  return {};
}

void read_extensions(const X509_CRL* list, RevocationListFacts& facts) {
  const Integer number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  if (number) facts.number = serial_text(number.get());
  const AuthorityKeyId above(static_cast<AUTHORITY_KEYID*>(
      X509_CRL_get_ext_d2i(list, NID_authority_key_identifier, nullptr, nullptr)));
  if (above && above->keyid != nullptr) {
    facts.authority_key_id = base::to_hex(content_of(above->keyid));
  }
  facts.is_delta = X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0;
  facts.is_partial = X509_CRL_get_ext_by_NID(list, NID_issuing_distribution_point, -1) >= 0;
  for (int i = 0; i < X509_CRL_get_ext_count(list); ++i) {
    X509_EXTENSION* extension = X509_CRL_get_ext(list, i);
    if (X509_EXTENSION_get_critical(extension) != 1) continue;
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
    if (nid == NID_delta_crl || nid == NID_issuing_distribution_point) continue;
    facts.unknown_critical_extensions.push_back(dotted_text(X509_EXTENSION_get_object(extension)));
  }
}

base::Result<RevocationListFacts> read_facts(X509_CRL* list) {
  RevocationListFacts facts;
  facts.version = static_cast<int>(X509_CRL_get_version(list)) + 1;
  facts.issuer = text_of(X509_CRL_get_issuer(list));
  facts.issuer_der = to_der(i2d_X509_NAME, X509_CRL_get_issuer(list));
  MESHTRUST_TRY(facts.this_update, instant_of(X509_CRL_get0_lastUpdate(list)));
  if (const ASN1_TIME* until = X509_CRL_get0_nextUpdate(list); until != nullptr) {
    MESHTRUST_TRY(facts.next_update, instant_of(until));
  }
  MESHTRUST_TRY_DO(read_entries(list, facts));
  read_extensions(list, facts);
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(list, nullptr, &algorithm);
  facts.signature_algorithm = signature_algorithm_text(algorithm);
  return facts;
}

}  // namespace

/// Never changed after it was made.
struct RevocationList::Content {
  base::Bytes der;
  RevocationListHandle list;
  RevocationListFacts facts;
};

RevocationList::RevocationList(std::shared_ptr<const Content> content)
    : content_(std::move(content)) {}

base::Result<RevocationList> RevocationList::from_der(base::ByteView der) {
  const unsigned char* next = der.data();
  RevocationListHandle list(d2i_X509_CRL(nullptr, &next, static_cast<long>(der.size())));
  if (!list || next != der.data() + der.size()) {
    return fail(openssl_error(Code::kInvalidInput, "revocation list does not parse"));
  }
  auto facts = read_facts(list.get());
  forget_openssl_errors();
  if (!facts) return fail(with_context(std::move(facts).error(), "revocation list"));
  facts->fingerprint = base::to_hex(base::sha256(der));
  return RevocationList(std::make_shared<const Content>(
      Content{{der.begin(), der.end()}, std::move(list), *std::move(facts)}));
}

const base::Bytes& RevocationList::der() const {
  return content_->der;
}

const RevocationListFacts& RevocationList::facts() const {
  return content_->facts;
}

std::string RevocationList::pem() const {
  return to_pem(kLabel, der());
}

bool RevocationList::is_signed_by(const Certificate& issuer) const {
  EVP_PKEY* key = X509_get0_pubkey(x509_of(issuer));
  const bool verified = key != nullptr && X509_CRL_verify(content_->list.get(), key) == 1;
  forget_openssl_errors();
  return verified;
}

bool RevocationList::is_of(const Certificate& issuer) const {
  if (facts().issuer_der != issuer.facts().subject_der) return false;
  const auto& wanted = facts().authority_key_id;
  const auto& own = issuer.facts().subject_key_id;
  return (!wanted || !own || *wanted == *own) && is_signed_by(issuer);
}

base::Result<std::vector<RevocationList>> revocation_lists_from_pem(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  std::vector<RevocationList> lists;
  for (const PemBlock& block : blocks) {
    if (block.label != kLabel) continue;
    const std::string which = "revocation list " + std::to_string(lists.size() + 1) + " (line " +
                              std::to_string(block.line) + ")";
    MESHTRUST_TRY(const base::Bytes der, decode(block));
    auto list = RevocationList::from_der(der);
    if (!list) return fail(with_context(std::move(list).error(), which));
    lists.push_back(*std::move(list));
  }
  return lists;
}

namespace {

bool covers(const RevocationList& list,
            const Certificate& authority,
            std::optional<base::Instant> at) {
  const RevocationListFacts& facts = list.facts();
  if (facts.is_delta || facts.is_partial) return false;
  // Without an end nobody can tell whether there is a newer one (RFC 5280 5.1.2.5 demands it).
  const bool in_force =
      !at || (facts.this_update <= *at && facts.next_update && *at <= *facts.next_update);
  return in_force && list.is_of(authority);
}

}  // namespace

std::vector<Certificate> without_list(std::span<const Certificate> authorities,
                                      std::span<const RevocationList> lists,
                                      std::optional<base::Instant> at) {
  std::map<base::Bytes, std::vector<const RevocationList*>> of_name;
  for (const RevocationList& list : lists) {
    of_name[list.facts().issuer_der].push_back(&list);
  }
  std::vector<Certificate> bare;
  for (const Certificate& authority : authorities) {
    const auto& usage = authority.facts().key_usage;
    const bool may_sign = !usage || usage->has("cRLSign");
    const bool covered = may_sign && std::ranges::any_of(of_name[authority.facts().subject_der],
                                                         [&](const RevocationList* list) {
                                                           return covers(*list, authority, at);
                                                         });
    if (!covered) bare.push_back(authority);
  }
  return bare;
}

std::tuple<std::size_t, std::string, base::Instant> age_of(const RevocationList& list) {
  const std::string digits = list.facts().number.value_or("");
  return {digits.size(), digits, list.facts().this_update};
}

std::string edition_of(const RevocationList& list) {
  const auto& number = list.facts().number;
  return fmt::format("{}, of {}", number ? "number " + *number : "without a number",
                     base::format_rfc3339(list.facts().this_update));
}

std::string to_pem(std::span<const RevocationList> lists) {
  std::string pem;
  for (const RevocationList& list : lists) {
    pem += list.pem();
  }
  return pem;
}

}  // namespace meshtrust::pki
