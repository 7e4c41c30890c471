#include "pki/imagined_leaf.h"

#include "base/encoding.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/openssl_values.h"
#include "pki/rehearsal.h"

#include <openssl/ec.h>

#include <string>
#include <string_view>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;
using std::chrono::hours;

/// RSA-PSS keys too are of a kind that Go does not read.
base::Result<Pkey> worthless_key_like(EVP_PKEY* wanted) {
  if (wanted != nullptr && EVP_PKEY_is_a(wanted, "RSA") == 1) {
    return worthless_key(KeyAlgorithm::kRsa2048);
  }
  const PkeyContext context(wanted == nullptr ? nullptr : EVP_PKEY_CTX_new(wanted, nullptr));
  EVP_PKEY* made = nullptr;
  const bool is_made =
      context && EVP_PKEY_can_sign(wanted) == 1 && EVP_PKEY_is_a(wanted, "RSA-PSS") != 1 &&
      EVP_PKEY_keygen_init(context.get()) == 1 && EVP_PKEY_generate(context.get(), &made) == 1;
  Pkey key(made);
  if (is_made) return key;
  forget_openssl_errors();
  return fail(Code::kInvalidInput, "its key is of a kind that signs no workload");
}

/// What Go picks when it signs with a key of this kind.
const EVP_MD* digest_of_go(const EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1) return nullptr;
  constexpr int kP384 = 384;
  constexpr int kP521 = 521;
  const bool is_curve = EVP_PKEY_is_a(key, "EC") == 1;
  if (is_curve && EVP_PKEY_get_bits(key) == kP384) return EVP_sha384();
  if (is_curve && EVP_PKEY_get_bits(key) == kP521) return EVP_sha512();
  return EVP_sha256();
}

bool set_frame(X509* x509, const Certificate& authority, base::Instant at) {
  const base::Bytes& der = authority.facts().subject_der;
  const unsigned char* next = der.data();
  const X509Name issuer(d2i_X509_NAME(nullptr, &next, static_cast<long>(der.size())));
  const X509Name nameless(X509_NAME_new());
  const Time from(ASN1_TIME_set(nullptr, (at - hours(1)).time_since_epoch().count()));
  const Time until(ASN1_TIME_set(nullptr, (at + hours(1)).time_since_epoch().count()));
  const Integer serial(ASN1_INTEGER_new());
  constexpr std::uint64_t kSerial = 0x0123456789abcdef;
  return issuer && from && until && X509_set_version(x509, X509_VERSION_3) == 1 &&
         ASN1_INTEGER_set_uint64(serial.get(), kSerial) == 1 &&
         X509_set_serialNumber(x509, serial.get()) == 1 &&
         X509_set_issuer_name(x509, issuer.get()) == 1 &&
         X509_set_subject_name(x509, nameless.get()) == 1 &&
         X509_set1_notBefore(x509, from.get()) == 1 && X509_set1_notAfter(x509, until.get()) == 1;
}

/// One key for all: what is imagined has none to protect.
bool set_key(X509* x509) {
  static const Pkey key(EVP_EC_gen("P-256"));
  return key && X509_set_pubkey(x509, key.get()) == 1;
}

bool add(X509* x509, int nid, const char* value) {
  const Extension extension(X509V3_EXT_nconf_nid(nullptr, nullptr, nid, value));
  return extension && X509_add_ext(x509, extension.get(), -1) == 1;
}

bool add_authority_key_id(X509* x509, const std::string& hex) {
  const auto id = base::from_hex(hex);
  const AuthorityKeyId above(AUTHORITY_KEYID_new());
  if (!id || !above) return false;
  above->keyid = ASN1_OCTET_STRING_new();
  return ASN1_OCTET_STRING_set(above->keyid, id->data(), static_cast<int>(id->size())) == 1 &&
         X509_add1_ext_i2d(x509, NID_authority_key_identifier, above.get(), 0,
                           X509V3_ADD_DEFAULT) == 1;
}

bool add_extensions(X509* x509, const Certificate& authority) {
  const auto& id = authority.facts().subject_key_id;
  return add(x509, NID_key_usage, "critical,digitalSignature,keyEncipherment") &&
         add(x509, NID_ext_key_usage, "serverAuth,clientAuth") &&
         add(x509, NID_basic_constraints, "critical,CA:FALSE") &&
         (!id || add_authority_key_id(x509, *id)) &&
         add(x509, NID_subject_alt_name,
             "critical,URI:spiffe://cluster.local/ns/default/sa/default");
}

}  // namespace

base::Result<Certificate> imagine_leaf(const Certificate& authority, base::Instant at) {
  MESHTRUST_TRY(const Pkey key, worthless_key_like(X509_get0_pubkey(x509_of(authority))));
  const X509Handle x509(X509_new());
  if (!x509 || !set_frame(x509.get(), authority, at) || !set_key(x509.get()) ||
      !add_extensions(x509.get(), authority) ||
      X509_sign(x509.get(), key.get(), digest_of_go(key.get())) <= 0) {
    return fail(openssl_error(Code::kInternal, "imagining a workload"));
  }
  return Certificate::from_der(to_der(i2d_X509, static_cast<const X509*>(x509.get())));
}

}  // namespace meshtrust::pki
