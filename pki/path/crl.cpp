#include "pki/path/crl.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/path/path_extensions.h"
#include "pki/pem.h"

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using IssuingPoint = Handle<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free>;

std::string magnitude(const ASN1_INTEGER* number) {
  std::string_view bytes = base::as_text(content_of(number));
  while (bytes.size() > 1 && bytes.front() == 0) {
    bytes.remove_prefix(1);
  }
  return std::string(bytes);
}

struct Reading {
  const X509_CRL& crl;
  CrlFacts& facts;

  void defect(std::string found, std::string wanted = {}) const {
    facts.defects.push_back(
        {.check = Check::kCrlUnusable, .found = std::move(found), .wanted = std::move(wanted)});
  }
};

/// Null when the extension is absent, or does not decode; the latter is a defect.
template <class Owner>
Owner extension(const Reading& reading, int nid, const char* name) {
  int state = 0;
  Owner value(static_cast<typename Owner::pointer>(
      X509_CRL_get_ext_d2i(&reading.crl, nid, &state, nullptr)));
  constexpr int kAbsent = -1;
  if (!value && state != kAbsent) reading.defect(std::string(name) + " malformed or there twice");
  forget_openssl_errors();
  return value;
}

void read_scope(const Reading& reading) {
  const auto value =
      extension<IssuingPoint>(reading, NID_issuing_distribution_point, "issuingDistributionPoint");
  if (!value) return;
  CrlScope scope;
  scope.point = path_distribution_point(value->distpoint, value->onlysomereasons, nullptr,
                                        X509_CRL_get_issuer(&reading.crl));
  scope.only_user = value->onlyuser > 0;
  scope.only_ca = value->onlyCA > 0;
  scope.only_attribute = value->onlyattr > 0;
  scope.indirect = value->indirectCRL > 0;
  if (int(scope.only_user) + int(scope.only_ca) + int(scope.only_attribute) > 1) {
    reading.defect("issuingDistributionPoint with two kinds of certificates");
  }
  const int index = X509_CRL_get_ext_by_NID(&reading.crl, NID_issuing_distribution_point, -1);
  scope.raw = std::string(
      base::as_text(content_of(X509_EXTENSION_get_data(X509_CRL_get_ext(&reading.crl, index)))));
  reading.facts.scope = std::move(scope);
}

void read_extensions(const Reading& reading) {
  CrlFacts& facts = reading.facts;
  const auto number = extension<Integer>(reading, NID_crl_number, "cRLNumber");
  if (number) facts.number = magnitude(number.get());
  if (!number) reading.defect("no cRLNumber", "one (RFC 5280 5.2.3)");
  const auto base = extension<Integer>(reading, NID_delta_crl, "deltaCRLIndicator");
  if (base) facts.base_number = magnitude(base.get());
  const auto key =
      extension<AuthorityKeyId>(reading, NID_authority_key_identifier, "authorityKeyIdentifier");
  if (key && key->keyid != nullptr) {
    facts.authority_key_id = std::string(base::as_text(content_of(key->keyid)));
  }
  read_scope(reading);
  static constexpr std::array kCritical = {NID_issuing_distribution_point, NID_delta_crl};
  for (int i = 0; i < X509_CRL_get_ext_count(&reading.crl); ++i) {
    X509_EXTENSION* one = X509_CRL_get_ext(&reading.crl, i);
    if (X509_EXTENSION_get_critical(one) != 1) continue;
    const ASN1_OBJECT* object = X509_EXTENSION_get_object(one);
    if (std::ranges::find(kCritical, OBJ_obj2nid(object)) != kCritical.end()) continue;
    reading.defect("critical " + object_text(object), "none that is not understood");
  }
}

std::string key_of(std::string_view serial, std::size_t issuer) {
  return std::string(serial) + '@' + std::to_string(issuer);
}

bool has_unknown_critical(const X509_REVOKED* entry) {
  for (int i = 0; i < X509_REVOKED_get_ext_count(entry); ++i) {
    X509_EXTENSION* one = X509_REVOKED_get_ext(entry, i);
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(one));
    if (X509_EXTENSION_get_critical(one) == 1 && nid != NID_certificate_issuer &&
        nid != NID_crl_reason && nid != NID_invalidity_date) {
      return true;
    }
  }
  return false;
}

using Enumerated = Handle<ASN1_ENUMERATED, ASN1_ENUMERATED_free>;

/// `issuer` carries on from entry to entry.
void read_entry(const Reading& reading, const X509_REVOKED* revoked, std::size_t& issuer) {
  CrlFacts& facts = reading.facts;
  CrlEntry entry;
  if (X509_REVOKED_get_ext_count(revoked) > 0) {
    if (has_unknown_critical(revoked)) {
      reading.defect("an entry with a critical extension", "none that is not understood");
    }
    const AlternativeNames names(static_cast<GENERAL_NAMES*>(
        X509_REVOKED_get_ext_d2i(revoked, NID_certificate_issuer, nullptr, nullptr)));
    for (const PathGeneralName& name : path_general_names(names.get())) {
      if (name.form != NameForm::kDirectory) continue;
      issuer = facts.entries.number_of({.raw = {}, .rdns = name.rdns, .text = {}});
      break;
    }
    const Enumerated reason(static_cast<ASN1_ENUMERATED*>(
        X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, nullptr, nullptr)));
    entry.removed = reason && ASN1_ENUMERATED_get(reason.get()) == CRL_REASON_REMOVE_FROM_CRL;
    forget_openssl_errors();
  }
  const std::string serial = serial_text(X509_REVOKED_get0_serialNumber(revoked));
  if (!facts.entries.add(serial, issuer, entry)) {
    reading.defect("serial " + serial + " twice", "each once");
  }
}

void read_times(const Reading& reading) {
  const auto begin = instant_of(X509_CRL_get0_lastUpdate(&reading.crl));
  if (begin) reading.facts.this_update = *begin;
  if (!begin) reading.defect("a thisUpdate that is no time");
  const ASN1_TIME* next = X509_CRL_get0_nextUpdate(&reading.crl);
  if (next == nullptr) return;
  const auto end = instant_of(next);
  if (end) reading.facts.next_update = *end;
  if (!end) reading.defect("a nextUpdate that is no time");
}

/// Whether the signature algorithm in what is signed equals the one beside the signature (RFC 5280
/// 5.1.1.2). OpenSSL shows the latter only.
bool equals_outside(base::ByteView der) {
  const auto list = first_element(der);
  const auto inside = list ? first_element(list->content) : std::nullopt;
  if (!inside) return false;
  const auto outer = first_element(list->content.subspan(inside->whole.size()));
  auto first = first_element(inside->content);
  if (first && first->tag == V_ASN1_INTEGER) {
    first = first_element(inside->content.subspan(first->whole.size()));
  }
  return first && outer && std::ranges::equal(first->whole, outer->whole);
}

CrlFacts read_crl(X509_CRL& crl, base::ByteView der) {
  CrlFacts facts;
  const Reading reading{crl, facts};
  facts.der.assign(der.begin(), der.end());
  facts.fingerprint = base::to_hex(base::sha256(der));
  facts.issuer = path_name(X509_CRL_get_issuer(&crl));
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(&crl, nullptr, &algorithm);
  facts.signature = path_signature(algorithm, algorithm);
  constexpr long kVersion2 = 1;
  if (X509_CRL_get_version(&crl) != kVersion2) reading.defect("another version", "2");
  if (!equals_outside(der)) reading.defect("one signature algorithm inside, another outside");
  if (flaws_of_der(der).any()) reading.defect("another encoding than DER");
  read_times(reading);
  read_extensions(reading);
  std::size_t issuer = facts.entries.number_of(facts.issuer);
  const STACK_OF(X509_REVOKED)* entries = X509_CRL_get_REVOKED(&crl);
  facts.entries.reserve(static_cast<std::size_t>(std::max(sk_X509_REVOKED_num(entries), 0)));
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    read_entry(reading, sk_X509_REVOKED_value(entries, i), issuer);
  }
  return facts;
}

}  // namespace

bool CrlEntries::add(std::string_view serial, std::size_t issuer, CrlEntry entry) {
  return entries_.emplace(key_of(serial, issuer), entry).second;
}

const CrlEntry* CrlEntries::find(std::string_view serial, const PathName& issuer) const {
  const auto number = issuers_.find(issuer.rdns);
  if (number == issuers_.end()) return nullptr;
  const auto found = entries_.find(key_of(serial, number->second));
  return found == entries_.end() ? nullptr : &found->second;
}

std::size_t CrlEntries::number_of(const PathName& issuer) {
  return issuers_.try_emplace(issuer.rdns, issuers_.size()).first->second;
}

struct PathCrl::Content {
  RevocationListHandle crl;
  CrlFacts facts;
};

PathCrl::PathCrl(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

base::Result<PathCrl> PathCrl::from_der(base::ByteView der) {
  const unsigned char* next = der.data();
  RevocationListHandle crl(d2i_X509_CRL(nullptr, &next, static_cast<long>(der.size())));
  if (!crl) return fail(openssl_error(Code::kInvalidInput, "not a revocation list"));
  if (next != der.data() + der.size()) {
    return fail(Code::kInvalidInput, "more bytes follow the revocation list");
  }
  CrlFacts facts = read_crl(*crl, der);
  return PathCrl(std::make_shared<const Content>(Content{std::move(crl), std::move(facts)}));
}

const CrlFacts& PathCrl::facts() const {
  return content_->facts;
}

bool PathCrl::is_signed_by(const PathCertificate& issuer) const {
  EVP_PKEY* key = X509_get0_pubkey(x509_of(issuer));
  const bool verified = key != nullptr && X509_CRL_verify(content_->crl.get(), key) == 1;
  forget_openssl_errors();
  return verified;
}

X509_CRL* x509_crl_of(const PathCrl& crl) {
  return crl.content_->crl.get();
}

base::Result<std::vector<PathCrl>> path_crls_from_pem(std::string_view pem) {
  MESHTRUST_TRY(const std::vector<PemBlock> blocks, pem_blocks(pem));
  std::vector<PathCrl> crls;
  for (const PemBlock& block : blocks) {
    if (block.label != "X509 CRL") continue;
    MESHTRUST_TRY(const base::Bytes der, decode(block));
    auto crl = PathCrl::from_der(der);
    if (!crl) {
      return fail(with_context(std::move(crl).error(),
                               "revocation list in line " + std::to_string(block.line)));
    }
    crls.push_back(*std::move(crl));
  }
  if (crls.empty()) return fail(Code::kInvalidInput, "found no revocation list");
  return crls;
}

}  // namespace meshtrust::pki
