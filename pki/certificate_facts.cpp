#include "pki/certificate_facts.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/key.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"

#include <array>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

/// RFC 5280 4.2.1.3, in the order of the bits.
constexpr std::array<std::string_view, 9> kKeyUsageBits = {
    "digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement",
    "keyCertSign",      "cRLSign",        "encipherOnly",    "decipherOnly"};

/// A decoded extension; `value` is null when the certificate has none.
template <class Owner>
struct Found {
  Owner value;
  bool critical = false;
};

template <class Owner>
base::Result<Found<Owner>> find(const X509& certificate, int nid) {
  const int index = X509_get_ext_by_NID(&certificate, nid, -1);
  if (index < 0) return Found<Owner>{};
  X509_EXTENSION* extension = X509_get_ext(&certificate, index);
  Owner value(static_cast<typename Owner::pointer>(X509V3_EXT_d2i(extension)));
  if (!value) {
    const std::string name = OBJ_nid2sn(nid);
    return fail(openssl_error(Code::kInvalidInput, "extension '" + name + "' does not parse"));
  }
  return Found<Owner>{std::move(value), X509_EXTENSION_get_critical(extension) == 1};
}

base::Status read_basic_constraints(const X509& certificate, CertificateFacts& facts) {
  MESHTRUST_TRY(const auto found, find<ConstraintsExtension>(certificate, NID_basic_constraints));
  if (!found.value) return {};
  BasicConstraints constraints{
      .critical = found.critical, .is_ca = found.value->ca != 0, .path_length = std::nullopt};
  if (const ASN1_INTEGER* limit = found.value->pathlen; limit != nullptr) {
    constexpr std::int64_t kMost = 1'000'000;  // more CAs than any chain has
    std::int64_t length = 0;
    if (ASN1_INTEGER_get_int64(&length, limit) != 1 || length < 0 || length > kMost) {
      forget_openssl_errors();
      return fail(Code::kInvalidInput, "the path length is not a small number");
    }
    constraints.path_length = static_cast<int>(length);
  }
  facts.basic_constraints = constraints;
  return {};
}

base::Status read_key_usage(const X509& certificate, CertificateFacts& facts) {
  MESHTRUST_TRY(const auto found, find<BitString>(certificate, NID_key_usage));
  if (found.value) {
    KeyUsage usage{.critical = found.critical, .bits = {}};
    for (std::size_t bit = 0; bit < kKeyUsageBits.size(); ++bit) {
      if (ASN1_BIT_STRING_get_bit(found.value.get(), static_cast<int>(bit)) == 1) {
        usage.bits.emplace_back(kKeyUsageBits.at(bit));
      }
    }
    facts.key_usage = std::move(usage);
  }
  MESHTRUST_TRY(const auto extended, find<ObjectList>(certificate, NID_ext_key_usage));
  for (int i = 0; extended.value && i < sk_ASN1_OBJECT_num(extended.value.get()); ++i) {
    facts.extended_key_usage.push_back(object_text(sk_ASN1_OBJECT_value(extended.value.get(), i)));
  }
  return {};
}

base::Status read_key_ids(const X509& certificate, CertificateFacts& facts) {
  MESHTRUST_TRY(const auto own, find<OctetString>(certificate, NID_subject_key_identifier));
  if (own.value) facts.subject_key_id = base::to_hex(content_of(own.value.get()));
  MESHTRUST_TRY(const auto above, find<AuthorityKeyId>(certificate, NID_authority_key_identifier));
  if (above.value && above.value->keyid != nullptr) {
    facts.authority_key_id = base::to_hex(content_of(above.value->keyid));
  }
  return {};
}

base::Status read_alternative_names(const X509& certificate, CertificateFacts& facts) {
  MESHTRUST_TRY(const auto found, find<AlternativeNames>(certificate, NID_subject_alt_name));
  if (!found.value) return {};
  AlternativeNameTexts texts = texts_of(found.value.get());
  facts.dns_names = std::move(texts.dns_names);
  facts.uris = std::move(texts.uris);
  facts.ip_addresses = std::move(texts.ip_addresses);
  facts.emails = std::move(texts.emails);
  return {};
}

void read_unknown_extensions(const X509& certificate, CertificateFacts& facts) {
  facts.has_name_constraints = X509_get_ext_by_NID(&certificate, NID_name_constraints, -1) >= 0;
  for (int i = 0; i < X509_get_ext_count(&certificate); ++i) {
    X509_EXTENSION* extension = X509_get_ext(&certificate, i);
    if (X509_EXTENSION_get_critical(extension) != 1) continue;
    if (X509_supported_extension(extension) == 1) continue;
    facts.unknown_critical_extensions.push_back(dotted_text(X509_EXTENSION_get_object(extension)));
  }
}

base::Status read_validity(const X509& certificate, CertificateFacts& facts) {
  auto from = instant_of(X509_get0_notBefore(&certificate));
  if (!from) return fail(with_context(std::move(from).error(), "not before"));
  auto until = instant_of(X509_get0_notAfter(&certificate));
  if (!until) return fail(with_context(std::move(until).error(), "not after"));
  facts.not_before = *from;
  facts.not_after = *until;
  return {};
}

}  // namespace

namespace {

/// A key is only made of what is not told without.
std::string key_type_in(const X509_PUBKEY* info) {
  if (auto type = key_type_of(info)) return *std::move(type);
  const base::Bytes der = public_key_info(info);
  const unsigned char* next = der.data();
  const Pkey key(d2i_PUBKEY(nullptr, &next, static_cast<long>(der.size())));
  return key_type_of(key.get());
}

}  // namespace

base::Result<CertificateFacts> read_facts(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const X509_NAME* issuer = X509_get_issuer_name(&certificate);
  CertificateFacts facts;
  facts.version = static_cast<int>(X509_get_version(&certificate)) + 1;
  facts.serial = serial_text(X509_get0_serialNumber(&certificate));
  facts.subject = text_of(subject);
  facts.issuer = text_of(issuer);
  facts.subject_der = to_der(i2d_X509_NAME, subject);
  facts.issuer_der = to_der(i2d_X509_NAME, issuer);
  facts.key_type = key_type_in(X509_get_X509_PUBKEY(&certificate));
  facts.key_id = key_id(public_key_info(X509_get_X509_PUBKEY(&certificate)));
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, &certificate);
  facts.signature_algorithm = signature_algorithm_text(algorithm);
  MESHTRUST_TRY_DO(read_validity(certificate, facts));
  MESHTRUST_TRY_DO(read_basic_constraints(certificate, facts));
  MESHTRUST_TRY_DO(read_key_usage(certificate, facts));
  MESHTRUST_TRY_DO(read_key_ids(certificate, facts));
  MESHTRUST_TRY_DO(read_alternative_names(certificate, facts));
  read_unknown_extensions(certificate, facts);
  forget_openssl_errors();  // a public key of a kind unknown to OpenSSL leaves some behind
  return facts;
}

}  // namespace meshtrust::pki
