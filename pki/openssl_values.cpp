#include "pki/openssl_values.h"

#include "base/check.h"
#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/openssl_error.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/provider.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <bit>
#include <cctype>
#include <ctime>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

std::string ec_type_text(const EVP_PKEY* key) {
  std::array<char, 64> group{};
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1) {
    forget_openssl_errors();
    return "ecdsa-unnamed";
  }
  const std::string_view name = group.data();
  if (name == SN_X9_62_prime256v1) return "ecdsa-p256";
  if (name == SN_secp384r1) return "ecdsa-p384";
  if (name == SN_secp521r1) return "ecdsa-p521";
  return "ecdsa-" + std::string(name);
}

std::string ip_text(const ASN1_OCTET_STRING* address) {
  const base::ByteView bytes = content_of(address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  const bool known = bytes.size() == 4 || bytes.size() == 16;
  if (known && inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr) {
    return text.data();
  }
  return base::to_hex(bytes);
}

}  // namespace

base::Result<base::Instant> instant_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    return fail(openssl_error(Code::kInvalidInput, "time"));
  }
  const std::chrono::year_month_day date = std::chrono::year(parts.tm_year + 1900) /
                                           std::chrono::month(unsigned(parts.tm_mon) + 1) /
                                           std::chrono::day(unsigned(parts.tm_mday));
  return std::chrono::sys_days(date) + std::chrono::hours(parts.tm_hour) +
         std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec);
}

std::string serial_text(const ASN1_INTEGER* serial) {
  const base::ByteView magnitude = content_of(serial);  // OpenSSL keeps the sign in the type
  const bool negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0;
  return (negative ? "-" : "") + base::to_hex(magnitude);
}

namespace {

/// A context that can make no key, and so does not try: OpenSSL looks through everything that a
/// context offers before it reads a public key. Kept, as the certificates read with it name it.
OSSL_LIB_CTX* keyless_context() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* made = OSSL_LIB_CTX_new();
    MESHTRUST_CHECK(made != nullptr);
    MESHTRUST_CHECK(OSSL_PROVIDER_load(made, "null") != nullptr);
    return made;
  }();
  return context;
}

/// The bits of the modulus in an RSAPublicKey (RFC 8017 A.1.1).
std::optional<int> modulus_bits(base::ByteView key) {
  const auto sequence = first_element(key);
  if (!sequence || sequence->tag != V_ASN1_SEQUENCE) return std::nullopt;
  const auto modulus = first_element(sequence->content);
  if (!modulus || modulus->tag != V_ASN1_INTEGER || modulus->content.empty()) return std::nullopt;
  base::ByteView bytes = modulus->content;
  if (bytes.front() >= 0x80) return std::nullopt;  // below zero
  if (bytes.front() == 0) bytes = bytes.subspan(1);
  if (bytes.empty() || bytes.front() == 0) return std::nullopt;
  const auto exponent = first_element(sequence->content.subspan(modulus->whole.size()));
  if (!exponent || exponent->tag != V_ASN1_INTEGER) return std::nullopt;
  const auto leading = static_cast<int>(std::bit_width(unsigned{bytes.front()}));
  return static_cast<int>(bytes.size() - 1) * 8 + leading;
}

using Group = Handle<EC_GROUP, EC_GROUP_free>;
using Point = Handle<EC_POINT, EC_POINT_free>;

bool is_on_curve(int curve, base::ByteView encoded) {
  static const Group p256(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  static const Group p384(EC_GROUP_new_by_curve_name(NID_secp384r1));
  const EC_GROUP* group = curve == NID_secp384r1 ? p384.get() : p256.get();
  const Point point(EC_POINT_new(group));
  const bool good =
      point && EC_POINT_oct2point(group, point.get(), encoded.data(), encoded.size(), nullptr) == 1;
  forget_openssl_errors();
  return good;
}

}  // namespace

X509Handle read_bare_x509(const unsigned char** next, std::size_t size) {
  X509Handle made(X509_new_ex(keyless_context(), nullptr));
  X509* x509 = made.get();
  if (x509 == nullptr || d2i_X509(&x509, next, static_cast<long>(size)) == nullptr) {
    (void)made.release();  // freed by OpenSSL when it fails
    return {};
  }
  return made;
}

std::optional<std::string> key_type_of(const X509_PUBKEY* info) {
  ASN1_OBJECT* kind = nullptr;
  const unsigned char* bytes = nullptr;
  int size = 0;
  X509_ALGOR* algorithm = nullptr;
  if (X509_PUBKEY_get0_param(&kind, &bytes, &size, &algorithm, info) != 1) return std::nullopt;
  const base::ByteView key(bytes, static_cast<std::size_t>(size));
  const int nid = OBJ_obj2nid(kind);
  if (nid == NID_rsaEncryption) {
    const auto bits = modulus_bits(key);
    return bits ? std::optional("rsa-" + std::to_string(*bits)) : std::nullopt;
  }
  if (nid != NID_X9_62_id_ecPublicKey) return std::nullopt;
  int type = 0;
  const void* value = nullptr;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_OBJECT) return std::nullopt;
  const int curve = OBJ_obj2nid(static_cast<const ASN1_OBJECT*>(value));
  if (curve != NID_X9_62_prime256v1 && curve != NID_secp384r1) return std::nullopt;
  if (!is_on_curve(curve, key)) return std::nullopt;
  return curve == NID_secp384r1 ? "ecdsa-p384" : "ecdsa-p256";
}

std::string key_type_of(const EVP_PKEY* key) {
  if (key == nullptr) return "unknown";
  if (EVP_PKEY_is_a(key, "RSA") == 1) return "rsa-" + std::to_string(EVP_PKEY_get_bits(key));
  if (EVP_PKEY_is_a(key, "EC") == 1) return ec_type_text(key);
  const char* name = EVP_PKEY_get0_type_name(key);
  std::string type = name == nullptr ? "unknown" : name;
  std::ranges::transform(type, type.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

base::Bytes public_key_info(const X509_PUBKEY* key) {
  return to_der(i2d_X509_PUBKEY, key);
}

std::string signature_algorithm_text(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const int nid = OBJ_obj2nid(object);
  return nid == NID_undef ? dotted_text(object) : OBJ_nid2ln(nid);
}

AlternativeNameTexts texts_of(const GENERAL_NAMES* names) {
  AlternativeNameTexts texts;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(GENERAL_NAME_get0_value(name, &type));
    if (type == GEN_IPADD) texts.ip_addresses.push_back(ip_text(value));
    if (type != GEN_DNS && type != GEN_URI && type != GEN_EMAIL) continue;
    // An IA5String may hold anything; what is not fit for a terminal is shown as '?'.
    std::string text = base::printable(base::as_text(content_of(value)), 4096);
    auto& list = type == GEN_DNS ? texts.dns_names : type == GEN_URI ? texts.uris : texts.emails;
    list.push_back(std::move(text));
  }
  return texts;
}

std::string object_text(const ASN1_OBJECT* object) {
  const int nid = OBJ_obj2nid(object);
  return nid == NID_undef ? dotted_text(object) : OBJ_nid2sn(nid);
}

std::string dotted_text(const ASN1_OBJECT* object) {
  std::array<char, 128> dotted{};
  OBJ_obj2txt(dotted.data(), static_cast<int>(dotted.size()), object, 1);
  return dotted.data();
}

}  // namespace meshtrust::pki
