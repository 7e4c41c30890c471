#include "pki/openssl_values.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/openssl_error.h"

#include <openssl/core_names.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
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
