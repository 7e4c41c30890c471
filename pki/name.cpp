#include "pki/name.h"

#include "base/bytes.h"
#include "base/text.h"
#include "pki/openssl_error.h"
#include "pki/openssl_name.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::fail;

/// What may stand in a name that we write, with the upper bounds of X.520 (RFC 5280 appendix A.1).
struct AttributeType {
  std::string_view name;
  int nid;
  std::size_t most_characters;
};
constexpr std::array kAttributeTypes = {AttributeType{"C", NID_countryName, 2},
                                        AttributeType{"ST", NID_stateOrProvinceName, 128},
                                        AttributeType{"L", NID_localityName, 128},
                                        AttributeType{"O", NID_organizationName, 64},
                                        AttributeType{"OU", NID_organizationalUnitName, 64},
                                        AttributeType{"CN", NID_commonName, 64}};

const AttributeType* find_type(std::string_view name) {
  const auto* const found = std::ranges::find(kAttributeTypes, name, &AttributeType::name);
  return found == kAttributeTypes.end() ? nullptr : found;
}

base::Error invalid(std::string message) {
  return {.code = Code::kInvalidInput, .message = std::move(message)};
}

bool is_control(unsigned long code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

/// The number of characters of UTF-8 `text`; nothing when it is not UTF-8 or holds control
/// characters, which could rewrite the terminal of whoever reads the certificate.
std::optional<std::size_t> count_characters(std::string_view text) {
  std::size_t count = 0;
  auto bytes = base::as_bytes(text);
  while (!bytes.empty()) {
    unsigned long code_point = 0;
    const int size = UTF8_getc(bytes.data(), static_cast<int>(bytes.size()), &code_point);
    if (size <= 0 || is_control(code_point)) return std::nullopt;
    bytes = bytes.subspan(static_cast<std::size_t>(size));
    ++count;
  }
  return count;
}

base::Status check_country(const std::string& value) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (value.size() == 2 && std::ranges::all_of(value, is_capital)) return {};
  return fail(invalid("'" + base::printable(value, 80) +
                      "' is no country, wanted two capital letters such as 'DE'"));
}

base::Status check_attribute(const NameAttribute& attribute) {
  const AttributeType* type = find_type(attribute.type);
  if (type == nullptr) {
    return fail(invalid("unknown attribute '" + base::printable(attribute.type, 80) +
                        "' in a name, wanted C, ST, L, O, OU or CN"));
  }
  if (attribute.value.empty()) return fail(invalid("'" + attribute.type + "' has no value"));
  if (type->nid == NID_countryName) return check_country(attribute.value);

  const auto characters = count_characters(attribute.value);
  if (!characters) {
    return fail(
        invalid("the value of '" + attribute.type + "' is not UTF-8 or holds control characters"));
  }
  if (*characters > type->most_characters) {
    return fail(invalid("the value of '" + attribute.type + "' has " + std::to_string(*characters) +
                        " characters, at most " + std::to_string(type->most_characters) +
                        " are allowed (RFC 5280 appendix A.1)"));
  }
  if (attribute.value.front() == ' ' || attribute.value.back() == ' ') {
    return fail(invalid("the value of '" + attribute.type + "' begins or ends with a blank"));
  }
  return {};
}

/// Appends `value` so that it cannot be taken for the next attribute.
void append_escaped(std::string& out, std::string_view value) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += '\\';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
      continue;
    }
    if (c == ',' || c == '=' || c == '\\') out += '\\';
    out += c;
  }
}

/// One TYPE=VALUE of the text form, escapes resolved.
struct RawAttribute {
  std::string type;
  std::string value;
  bool has_equals = false;
};

base::Result<std::vector<RawAttribute>> split_attributes(std::string_view text) {
  std::vector<RawAttribute> found(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    RawAttribute& current = found.back();
    std::string& part = current.has_equals ? current.value : current.type;
    if (c == '\\') {
      if (++i == text.size()) return fail(invalid("the name ends in a single backslash"));
      c = text[i];
      if (c != ',' && c != '=' && c != '\\') {
        return fail(
            invalid("a backslash in a name stands before a comma, an equals sign or a "
                    "backslash, found '" +
                    base::printable({&c, 1}) + "'"));
      }
      part += c;
    } else if (c == ',') {
      found.emplace_back();
    } else if (c == '=' && current.has_equals) {
      return fail(invalid("two equals signs in one attribute of a name"));
    } else if (c == '=') {
      current.has_equals = true;
    } else {
      part += c;
    }
  }
  return found;
}

std::string type_text(const ASN1_OBJECT* object) {
  if (const int nid = OBJ_obj2nid(object); nid != NID_undef) return OBJ_nid2sn(nid);
  std::array<char, 128> dotted{};
  OBJ_obj2txt(dotted.data(), static_cast<int>(dotted.size()), object, 1);
  return dotted.data();
}

std::string value_text(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) {
    forget_openssl_errors();
    return "?";
  }
  const std::string value(base::as_text({utf8, static_cast<std::size_t>(size)}));
  OPENSSL_free(utf8);
  return value;
}

}  // namespace

base::Result<DistinguishedName> DistinguishedName::parse(std::string_view text) {
  if (base::trim(text).empty()) return fail(invalid("the name is empty"));
  MESHTRUST_TRY(const auto raw, split_attributes(text));
  DistinguishedName name;
  for (const RawAttribute& attribute : raw) {
    if (!attribute.has_equals) {
      return fail(
          Code::kInvalidInput,
          "found '" + base::printable(attribute.type, 80) + "' in a name, wanted TYPE=VALUE",
          "write a name like 'O=Shop,CN=Shop Mesh Root'; a comma inside is '\\,'");
    }
    name.attributes.push_back({.type = std::string(base::trim(attribute.type)),
                               .value = std::string(base::trim(attribute.value))});
  }
  MESHTRUST_TRY_DO(name.check());
  return name;
}

base::Status DistinguishedName::check() const {
  if (attributes.empty()) return fail(invalid("the name is empty"));
  for (const NameAttribute& attribute : attributes) {
    MESHTRUST_TRY_DO(check_attribute(attribute));
  }
  return {};
}

std::string DistinguishedName::text() const {
  std::string text;
  for (const NameAttribute& attribute : attributes) {
    if (!text.empty()) text += ',';
    text += attribute.type + "=";
    append_escaped(text, attribute.value);
  }
  return text;
}

std::string text_of(const X509_NAME* name) {
  std::string text;
  int last_set = -1;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    if (i != 0) text += X509_NAME_ENTRY_set(entry) == last_set ? '+' : ',';
    last_set = X509_NAME_ENTRY_set(entry);
    text += type_text(X509_NAME_ENTRY_get_object(entry)) + "=";
    append_escaped(text, value_text(X509_NAME_ENTRY_get_data(entry)));
  }
  return text;
}

base::Result<X509Name> encode(const DistinguishedName& name) {
  MESHTRUST_TRY_DO(name.check());
  X509Name encoded(X509_NAME_new());
  for (const NameAttribute& attribute : name.attributes) {
    const int nid = find_type(attribute.type)->nid;
    const auto value = base::as_bytes(attribute.value);
    const int type = nid == NID_countryName ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING;
    if (X509_NAME_add_entry_by_NID(encoded.get(), nid, type, value.data(),
                                   static_cast<int>(value.size()), -1, 0) != 1) {
      return fail(openssl_error(Code::kInternal, "encoding '" + name.text() + "'"));
    }
  }
  return encoded;
}

}  // namespace meshtrust::pki
