#include "tests/pki/forge.h"

#include "base/text.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"

#include <openssl/conf.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace meshtrust::pki::testing {
namespace {

void set_serial(X509* x509, const std::string& hex) {
  BIGNUM* number = nullptr;
  MESHTRUST_CHECK(BN_hex2bn(&number, hex.c_str()) > 0);
  const BigNumber owner(number);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
}

X509Name name_of_text(const std::string& text, int type) {
  X509Name name(X509_NAME_new());
  if (text.empty()) return name;
  // Not through DistinguishedName, which knows only the attributes that meshtrust writes.
  for (const std::string& attribute : base::split(text, ',')) {
    const auto equals = attribute.find('=');
    const auto value = base::as_bytes(std::string_view(attribute).substr(equals + 1));
    const std::string key = attribute.substr(0, equals);
    const int own_type = key == "emailAddress" ? V_ASN1_IA5STRING : type;
    MESHTRUST_CHECK(X509_NAME_add_entry_by_txt(name.get(), key.c_str(), own_type, value.data(),
                                               static_cast<int>(value.size()), -1, 0) == 1);
  }
  return name;
}

X509Name issuer_name(const Forgery& wanted, const Identity* issuer) {
  const std::string own = wanted.subject;
  if (wanted.issuer_name) return name_of_text(*wanted.issuer_name, V_ASN1_UTF8STRING);
  if (issuer == nullptr) return name_of_text(own, V_ASN1_UTF8STRING);
  if (wanted.issuer_as_printable) {
    return name_of_text(issuer->certificate.facts().subject, V_ASN1_PRINTABLESTRING);
  }
  return X509Name(X509_NAME_dup(X509_get_subject_name(x509_of(issuer->certificate))));
}

using Config = Handle<CONF, NCONF_free>;

void add_extensions(X509* x509, const Forgery& wanted, X509* issuer) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
  const Config config(NCONF_new(nullptr));  // policies want one, if an empty one
  X509V3_set_nconf(&context, config.get());
  for (const auto& [name, value] : wanted.extensions) {
    const Extension extension(X509V3_EXT_nconf(nullptr, &context, name.c_str(), value.c_str()));
    MESHTRUST_CHECK(extension != nullptr);
    MESHTRUST_CHECK(X509_add_ext(x509, extension.get(), -1) == 1);
  }
}

void sign(X509* x509, EVP_PKEY* key, const Forgery& wanted) {
  const bool hashes_itself = EVP_PKEY_is_a(key, "ED25519") == 1;
  const EVP_MD* digest = hashes_itself ? nullptr : EVP_get_digestbyname(wanted.digest);
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  MESHTRUST_CHECK(EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key) == 1);
  if (wanted.pss && EVP_PKEY_is_a(key, "RSA") == 1) {
    EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
  }
  MESHTRUST_CHECK(X509_sign_ctx(x509, context.get()) > 0);
}

base::Bytes make_der(const Forgery& wanted, const Identity* issuer) {
  const X509Handle x509(X509_new());
  X509_set_version(x509.get(), wanted.version - 1);
  set_serial(x509.get(), wanted.serial);
  X509_set_subject_name(x509.get(), name_of_text(wanted.subject, V_ASN1_UTF8STRING).get());
  X509_set_issuer_name(x509.get(), issuer_name(wanted, issuer).get());
  ASN1_TIME_set(X509_getm_notBefore(x509.get()), wanted.not_before.time_since_epoch().count());
  ASN1_TIME_set(X509_getm_notAfter(x509.get()), wanted.not_after.time_since_epoch().count());
  const auto write_points = [&wanted](const char* form) {
    EVP_PKEY_set_utf8_string_param(wanted.key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                   form);
  };
  if (wanted.compressed_point) write_points("compressed");
  X509_set_pubkey(x509.get(), wanted.key.get());
  if (wanted.compressed_point) write_points("uncompressed");  // others use the key as well
  add_extensions(x509.get(), wanted, issuer == nullptr ? x509.get() : x509_of(issuer->certificate));
  const Key& own_or_issuer = issuer == nullptr ? wanted.key : issuer->key;
  const Key& signing = wanted.signing_key ? wanted.signing_key : own_or_issuer;
  sign(x509.get(), signing.get(), wanted);
  return to_der(i2d_X509, static_cast<const X509*>(x509.get()));
}

Identity make(const Forgery& wanted, const Identity* issuer) {
  return {*Certificate::from_der(make_der(wanted, issuer)), wanted.key};
}

}  // namespace

std::string fixture(const std::string& name) {
  std::ifstream file(MESHTRUST_TEST_DATA "/data/pki/" + name, std::ios::binary);
  MESHTRUST_CHECK(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

base::Secret secret_fixture(const std::string& name) {
  return base::Secret(fixture(name));
}

Key ec_key(const char* curve) {
  return {EVP_EC_gen(curve), EVP_PKEY_free};
}

Key rsa_key(unsigned bits) {
  return {EVP_RSA_gen(bits), EVP_PKEY_free};
}

namespace {

using KeyContext = Handle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;

/// No generator makes one whose private exponent is 1 as well.
Key rsa_key_that_signs_nothing() {
  const Key model = rsa_key(2048);
  BIGNUM* found = nullptr;
  MESHTRUST_CHECK(EVP_PKEY_get_bn_param(model.get(), OSSL_PKEY_PARAM_RSA_N, &found) == 1);
  const BigNumber modulus(found);
  const BigNumber one(BN_new());
  BN_one(one.get());
  const Handle<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, one.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_D, one.get());
  const Handle<OSSL_PARAM, OSSL_PARAM_free> parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  MESHTRUST_CHECK(EVP_PKEY_fromdata_init(context.get()) == 1);
  MESHTRUST_CHECK(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) == 1);
  return {key, EVP_PKEY_free};
}

}  // namespace

Key rsa_key_with_exponent(std::string_view exponent) {
  if (exponent == "1") return rsa_key_that_signs_nothing();
  BIGNUM* number = nullptr;
  MESHTRUST_CHECK(BN_dec2bn(&number, std::string(exponent).c_str()) > 0);
  const BigNumber owner(number);
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  MESHTRUST_CHECK(EVP_PKEY_keygen_init(context.get()) == 1);
  MESHTRUST_CHECK(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048) == 1);
  MESHTRUST_CHECK(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), number) == 1);
  MESHTRUST_CHECK(EVP_PKEY_keygen(context.get(), &key) == 1);
  return {key, EVP_PKEY_free};
}

Key ed25519_key() {
  return {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free};
}

Forgery& Forgery::with(const std::string& name, const std::string& value) {
  std::erase_if(extensions, [&name](const ExtensionText& each) { return each.first == name; });
  if (!value.empty()) extensions.emplace_back(name, value);
  return *this;
}

Identity forge_root(const Forgery& wanted) {
  return make(wanted, nullptr);
}

Forgery intermediate_forgery(std::string subject) {
  Forgery wanted;
  wanted.subject = std::move(subject);
  wanted.not_before = kNow - base::days(5);
  wanted.not_after = kNow + base::days(730);
  wanted.with("basicConstraints", "critical,CA:TRUE,pathlen:0");
  wanted.with("authorityKeyIdentifier", "keyid:always");
  return wanted;
}

Forgery leaf_forgery() {
  Forgery wanted;
  wanted.subject = "";
  wanted.not_before = kNow - base::days(1);
  wanted.not_after = kNow + base::days(1);
  wanted.extensions = {{"basicConstraints", "critical,CA:FALSE"},
                       {"keyUsage", "critical,digitalSignature,keyEncipherment"},
                       {"extendedKeyUsage", "serverAuth,clientAuth"},
                       {"authorityKeyIdentifier", "keyid:always"},
                       {"subjectAltName", "critical,URI:spiffe://cluster.local/ns/shop/sa/cart"}};
  return wanted;
}

Identity forge(const Forgery& wanted, const Identity& issuer) {
  return make(wanted, &issuer);
}

RevocationList forge_list(const ListForgery& wanted, const Identity& issuer) {
  const RevocationListHandle list(X509_CRL_new());
  X509* authority = x509_of(issuer.certificate);
  X509_CRL_set_version(list.get(), wanted.version - 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority));
  const Time from(ASN1_TIME_set(nullptr, wanted.this_update.time_since_epoch().count()));
  X509_CRL_set1_lastUpdate(list.get(), from.get());
  if (wanted.next_update) {
    const Time until(ASN1_TIME_set(nullptr, wanted.next_update->time_since_epoch().count()));
    X509_CRL_set1_nextUpdate(list.get(), until.get());
  }
  X509V3_CTX context;
  X509V3_set_ctx(&context, authority, nullptr, nullptr, list.get(), 0);
  for (const auto& [name, value] : wanted.extensions) {
    const Extension extension(X509V3_EXT_nconf(nullptr, &context, name.c_str(), value.c_str()));
    MESHTRUST_CHECK(extension != nullptr);
    X509_CRL_add_ext(list.get(), extension.get(), -1);
  }
  if (wanted.number) {
    const Integer number(ASN1_INTEGER_new());
    ASN1_INTEGER_set(number.get(), *wanted.number);
    X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, number.get(), 0, 0);
  }
  for (const std::string& hex : wanted.revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    BIGNUM* number = nullptr;
    BN_hex2bn(&number, hex.c_str());
    const BigNumber owner(number);
    const Integer serial(BN_to_ASN1_INTEGER(number, nullptr));
    X509_REVOKED_set_serialNumber(entry, serial.get());
    X509_REVOKED_set_revocationDate(entry, const_cast<ASN1_TIME*>(from.get()));
    X509_CRL_add0_revoked(list.get(), entry);
  }
  const Key& signing = wanted.signing_key ? wanted.signing_key : issuer.key;
  MESHTRUST_CHECK(X509_CRL_sign(list.get(), signing.get(), EVP_get_digestbyname(wanted.digest)) >
                  0);
  return *RevocationList::from_der(to_der(i2d_X509_CRL, static_cast<const X509_CRL*>(list.get())));
}

base::Bytes forge_der(const Forgery& wanted, const Identity* issuer) {
  return make_der(wanted, issuer);
}

CaTemplate wanted_ca(std::string_view subject, base::Seconds lifetime, base::Instant not_before) {
  return {.subject = *DistinguishedName::parse(subject),
          .not_before = not_before,
          .not_after = not_before + lifetime};
}

}  // namespace meshtrust::pki::testing
