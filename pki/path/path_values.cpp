#include "base/encoding.h"
#include "base/text.h"
#include "pki/der.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"
#include "pki/openssl_values.h"
#include "pki/path/path_extensions.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>

namespace meshtrust::pki {
namespace {

std::string bytes_of(const ASN1_STRING* string) {
  return std::string(base::as_text(content_of(string)));
}

/// Case and blanks folded as RFC 5280 7.1 wants it for ASCII: blanks at the ends go, several
/// become one.
std::string fold(std::string_view utf8) {
  std::string out;
  for (const char c : lower(base::trim(utf8))) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
    if (blank && out.ends_with(' ')) continue;
    out += blank ? ' ' : c;
  }
  return out;
}

bool is_text_type(int type) {
  static constexpr std::array kText = {
      V_ASN1_UTF8STRING, V_ASN1_BMPSTRING, V_ASN1_UNIVERSALSTRING, V_ASN1_PRINTABLESTRING,
      V_ASN1_T61STRING,  V_ASN1_IA5STRING, V_ASN1_VISIBLESTRING};
  return std::ranges::find(kText, type) != kText.end();
}

std::string attribute_key(const X509_NAME_ENTRY* entry) {
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(entry);
  std::string key = dotted_text(X509_NAME_ENTRY_get_object(entry));
  const int type = ASN1_STRING_type(value);
  const auto text = is_text_type(type) ? utf8_of(value) : std::nullopt;
  if (!text) return key + "#" + std::to_string(type) + ":" + bytes_of(value);
  return key + "=" + fold(*text);
}

/// Of a string type that is still in use, and nothing in it that its alphabet lacks (X.680 41.4).
bool is_sound_text(const ASN1_STRING* value) {
  const std::string text = bytes_of(value);
  const auto all = [&text](auto fits) { return std::ranges::all_of(text, fits); };
  switch (ASN1_STRING_type(value)) {
    case V_ASN1_T61STRING:
      return true;
    case V_ASN1_IA5STRING:
      return all([](char c) { return (c & 0x80) == 0; });
    case V_ASN1_NUMERICSTRING:
      return all([](char c) { return is_digit(c) || c == ' '; });
    case V_ASN1_PRINTABLESTRING:
      return all([](char c) {
        constexpr std::string_view kOthers = " '()+,-./:=?*&";  // the last two by custom
        return is_alphanumeric(c) || kOthers.find(c) != std::string_view::npos;
      });
    case V_ASN1_UTF8STRING:
    case V_ASN1_BMPSTRING:
      return utf8_of(value).has_value();
    default:
      return false;
  }
}

std::string ec_text(const EVP_PKEY* key) {
  std::array<char, 32> encoding{};
  const int got = EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding.data(),
                                                 encoding.size(), nullptr);
  forget_openssl_errors();
  if (got == 1 && std::string_view(encoding.data()) != OSSL_PKEY_EC_ENCODING_GROUP) {
    return "ecdsa-explicit";
  }
  return key_type_of(key);
}

std::uint64_t exponent_of(const EVP_PKEY* key) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &number) != 1) {
    forget_openssl_errors();
    return 0;
  }
  const BigNumber owner(number);
  constexpr int kMostBits = 64;
  if (BN_num_bits(number) > kMostBits) return UINT64_MAX;
  std::array<unsigned char, sizeof(std::uint64_t)> octets{};
  BN_bn2binpad(number, octets.data(), octets.size());
  std::uint64_t exponent = 0;
  for (const unsigned char octet : octets) {
    exponent = (exponent << 8U) | octet;
  }
  return exponent;
}

/// An INTEGER above zero in as few octets as it takes (X.690 8.3.2).
bool is_sound_number(base::ByteView content) {
  constexpr unsigned kSign = 0x80;
  if (content.empty() || (content[0] & kSign) != 0) return false;
  return content[0] != 0 || (content.size() > 1 && (content[1] & kSign) != 0);
}

/// Of an RSAPublicKey (RFC 8017 A.1.1).
bool has_sound_numbers(const X509_PUBKEY* info) {
  const unsigned char* key = nullptr;
  int size = 0;
  X509_PUBKEY_get0_param(nullptr, &key, &size, nullptr, info);
  const auto whole = first_element({key, static_cast<std::size_t>(std::max(size, 0))});
  const auto modulus = whole ? first_element(whole->content) : std::nullopt;
  if (!modulus) return false;
  const auto exponent = first_element(whole->content.subspan(modulus->whole.size()));
  return exponent && is_sound_number(modulus->content) && is_sound_number(exponent->content);
}

unsigned char first_octet_of_key(const X509_PUBKEY* info) {
  const unsigned char* key = nullptr;
  int size = 0;
  const int got = X509_PUBKEY_get0_param(nullptr, &key, &size, nullptr, info);
  return got == 1 && size > 0 ? *key : 0;
}

/// The octet before a key counts the bits of the last one that do not belong to it.
bool is_whole_octets(base::ByteView info) {
  const auto whole = first_element(info);
  const auto algorithm = whole ? first_element(whole->content) : std::nullopt;
  if (!algorithm) return false;
  const auto key = first_element(whole->content.subspan(algorithm->whole.size()));
  return key && !key->content.empty() && key->content.front() == 0;
}

KeyKind kind_of(const EVP_PKEY* key) {
  struct Known {
    const char* name;
    KeyKind kind;
  };
  static constexpr std::array kKnown = {
      Known{"RSA", KeyKind::kRsa}, Known{"RSA-PSS", KeyKind::kRsaPss}, Known{"EC", KeyKind::kEc},
      Known{"ED25519", KeyKind::kEd25519}, Known{"ED448", KeyKind::kEd448}};
  for (const Known& known : kKnown) {
    if (EVP_PKEY_is_a(key, known.name) == 1) return known.kind;
  }
  return KeyKind::kOther;
}

Digest digest_of(int nid) {
  switch (nid) {
    case NID_md5:
      return Digest::kMd5;
    case NID_sha1:
      return Digest::kSha1;
    case NID_sha224:
      return Digest::kSha224;
    case NID_sha256:
      return Digest::kSha256;
    case NID_sha384:
      return Digest::kSha384;
    case NID_sha512:
      return Digest::kSha512;
    default:
      return Digest::kOther;
  }
}

int digest_size(Digest digest) {
  if (digest == Digest::kSha256) return 32;
  return digest == Digest::kSha384 ? 48 : 64;
}

/// What stands behind the object identifier.
std::string parameters_of(const X509_ALGOR* algorithm) {
  const base::Bytes der = to_der(i2d_X509_ALGOR, algorithm);
  const auto whole = first_element(der);
  const auto object = whole ? first_element(whole->content) : std::nullopt;
  if (!object) return {};
  return std::string(base::as_text(whole->content.subspan(object->whole.size())));
}

using PssParameters = Handle<RSA_PSS_PARAMS, RSA_PSS_PARAMS_free>;

void read_pss(const X509_ALGOR* algorithm, PathSignature& signature) {
  signature.is_pss = true;
  signature.key = KeyKind::kRsaPss;
  signature.pss_regular = false;
  const void* value = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &value, algorithm);
  if (type != V_ASN1_SEQUENCE) return;
  const PssParameters pss(static_cast<RSA_PSS_PARAMS*>(
      ASN1_item_unpack(static_cast<const ASN1_STRING*>(value), ASN1_ITEM_rptr(RSA_PSS_PARAMS))));
  if (!pss || pss->hashAlgorithm == nullptr || pss->maskGenAlgorithm == nullptr) {
    forget_openssl_errors();  // absent ones are SHA-1
    signature.digest = Digest::kSha1;
    return;
  }
  const int hash = OBJ_obj2nid(pss->hashAlgorithm->algorithm);
  signature.digest = digest_of(hash);
  const Algorithm mask(static_cast<X509_ALGOR*>(
      pss->maskGenAlgorithm->parameter == nullptr ||
              pss->maskGenAlgorithm->parameter->type != V_ASN1_SEQUENCE
          ? nullptr
          // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): OpenSSL's, type looked at
          : ASN1_item_unpack(pss->maskGenAlgorithm->parameter->value.sequence,
                             ASN1_ITEM_rptr(X509_ALGOR))));
  const long salt = pss->saltLength == nullptr ? 20 : ASN1_INTEGER_get(pss->saltLength);
  signature.pss_regular =
      mask && OBJ_obj2nid(mask->algorithm) == hash && salt == digest_size(signature.digest) &&
      (pss->trailerField == nullptr || ASN1_INTEGER_get(pss->trailerField) == 1);
  forget_openssl_errors();
}

bool has_empty_rdn(base::ByteView name) {
  const auto whole = first_element(name);
  base::ByteView rest = whole ? whole->content : base::ByteView();
  while (const auto rdn = first_element(rest)) {
    if (rdn->content.empty()) return true;
    rest = rest.subspan(rdn->whole.size());
  }
  return false;
}

}  // namespace

std::optional<std::string> utf8_of(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, value);
  forget_openssl_errors();
  if (size < 0) return std::nullopt;
  std::string text(base::as_text({utf8, static_cast<std::size_t>(size)}));
  OPENSSL_free(utf8);
  return text;
}

PathName path_name(const X509_NAME* name) {
  PathName out;
  const base::Bytes der = to_der(i2d_X509_NAME, name);
  out.raw = std::string(base::as_text(der));
  out.has_empty_rdn = has_empty_rdn(der);
  out.text = text_of(name);
  std::vector<std::string> set;
  int last = -1;
  const auto finish = [&out, &set] {
    if (set.empty()) return;
    std::ranges::sort(set);
    std::string rdn;
    for (const std::string& attribute : set) {
      append_with_length(rdn, attribute);
    }
    out.rdns.push_back(std::move(rdn));
    set.clear();
  };
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    if (X509_NAME_ENTRY_set(entry) != last) finish();
    last = X509_NAME_ENTRY_set(entry);
    set.push_back(attribute_key(entry));
    out.has_sound_texts = out.has_sound_texts && is_sound_text(X509_NAME_ENTRY_get_data(entry));
  }
  finish();
  return out;
}

PathGeneralName path_general_name(const GENERAL_NAME& name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(&name, &type);
  PathGeneralName out{.form = static_cast<NameForm>(type), .value = {}, .rdns = {}, .text = {}};
  if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI) {
    out.value = bytes_of(static_cast<const ASN1_STRING*>(value));
    out.text = out.value;
  } else if (type == GEN_IPADD) {
    out.value = bytes_of(static_cast<const ASN1_STRING*>(value));
    out.text = ip_text(out.value);
  } else if (type == GEN_DIRNAME) {
    PathName directory = path_name(static_cast<const X509_NAME*>(value));
    out.value = std::move(directory.raw);
    out.rdns = std::move(directory.rdns);
    out.text = std::move(directory.text);
  } else {
    const base::Bytes der = to_der(i2d_GENERAL_NAME, &name);
    out.value = std::string(base::as_text(der));
    out.text = name_of(out.form);
  }
  return out;
}

std::vector<PathGeneralName> path_general_names(const GENERAL_NAMES* names) {
  std::vector<PathGeneralName> out;
  out.reserve(static_cast<std::size_t>(std::max(sk_GENERAL_NAME_num(names), 0)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    out.push_back(path_general_name(*sk_GENERAL_NAME_value(names, i)));
  }
  return out;
}

PathDistributionPoint path_distribution_point(DIST_POINT_NAME* name,
                                              const ASN1_BIT_STRING* reasons,
                                              const GENERAL_NAMES* issuers,
                                              const X509_NAME* crl_issuer) {
  PathDistributionPoint point;
  constexpr int kFullName = 0;
  if (name != nullptr) {
    point.has_name = true;
    if (name->type == kFullName) {
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-union-access): OpenSSL's, type looked at
      point.full_name = path_general_names(name->name.fullname);
    } else if (point.has_relative_name = true;
               DIST_POINT_set_dpname(name, crl_issuer) == 1 && name->dpname != nullptr) {
      PathName whole = path_name(name->dpname);
      point.full_name.push_back({.form = NameForm::kDirectory,
                                 .value = std::move(whole.raw),
                                 .rdns = std::move(whole.rdns),
                                 .text = std::move(whole.text)});
    }
  }
  if (reasons != nullptr) {
    point.has_reasons = true;
    constexpr int kReasonBits = 9;
    for (int bit = 0; bit < kReasonBits; ++bit) {
      if (ASN1_BIT_STRING_get_bit(reasons, bit) == 1) point.reasons |= 1U << unsigned(bit);
    }
  }
  if (issuers != nullptr) point.crl_issuer = path_general_names(issuers);
  return point;
}

PathKey path_key(const X509_PUBKEY* info) {
  PathKey key;
  const base::Bytes der = public_key_info(info);
  key.info = std::string(base::as_text(der));
  X509_ALGOR* algorithm = nullptr;
  X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &algorithm, info);
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  key.algorithm = dotted_text(object);
  key.parameters = parameters_of(algorithm);
  key.is_whole_octets = is_whole_octets(der);
  const EVP_PKEY* parsed = X509_PUBKEY_get0(info);
  forget_openssl_errors();
  if (parsed == nullptr) {
    key.text = kUnreadableKey;
    return key;
  }
  key.kind = kind_of(parsed);
  key.bits = EVP_PKEY_get_bits(parsed);
  key.text = key.kind == KeyKind::kEc ? ec_text(parsed) : key_type_of(parsed);
  if (key.kind == KeyKind::kRsaPss) key.text += "-" + std::to_string(key.bits);
  if (key.kind == KeyKind::kRsa || key.kind == KeyKind::kRsaPss) {
    key.exponent = exponent_of(parsed);
    key.has_sound_numbers = has_sound_numbers(info);
  }
  if (key.kind == KeyKind::kEc) key.point_form = first_octet_of_key(info);
  return key;
}

PathSignature path_signature(const X509_ALGOR* outer, const X509_ALGOR* inner) {
  PathSignature signature;
  signature.text = signature_algorithm_text(outer);
  signature.equals_inner = X509_ALGOR_cmp(outer, inner) == 0;
  signature.parameters = parameters_of(outer);
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, outer);
  const int nid = OBJ_obj2nid(object);
  if (nid == NID_rsassaPss) {
    read_pss(outer, signature);
    return signature;
  }
  int digest = 0;
  int key = 0;
  if (OBJ_find_sigid_algs(nid, &digest, &key) != 1) return signature;
  signature.digest = digest == NID_undef ? Digest::kNone : digest_of(digest);
  if (key == NID_rsaEncryption) signature.key = KeyKind::kRsa;
  if (key == NID_X9_62_id_ecPublicKey) signature.key = KeyKind::kEc;
  if (key == NID_ED25519) signature.key = KeyKind::kEd25519;
  if (key == NID_ED448) signature.key = KeyKind::kEd448;
  return signature;
}

}  // namespace meshtrust::pki
